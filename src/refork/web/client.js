// refork's live reload. However many tabs are open, those of one origin share one connection: browsers
// allow six to a server, and event streams would use them up. The tab that holds the lock leads: it
// listens to the server and passes on what it hears. When it closes, the next one gets the lock.
(() => {
  "use strict";
  if (window.__refork || location.origin === "null") return; // a sandboxed frame may not connect
  const facts = __FACTS__;
  const script = document.currentScript;
  const query = new URLSearchParams(script ? new URL(script.src).search : "");
  const made_by = query.has("generation") ? Number(query.get("generation")) : null;
  const must_ask = query.has("ask"); // the page answers a form: to reload it would send the form again
  const state = (window.__refork = { live: false, leads: false, since: facts.since, swaps: 0 });
  const NAME = "refork " + facts.origin;
  const KEPT = 64;

  // ---- what to do -------------------------------------------------------------------------------
  const number_of = (id) => Number(id.slice(id.lastIndexOf("-") + 1));
  const boot_of = (id) => id.slice(0, id.lastIndexOf("-"));
  let leaving = false;

  const reload = () => {
    if (leaving) return;
    if (must_ask) return notice();
    if (document.hidden) return document.addEventListener("visibilitychange", reload, { once: true });
    leaving = true;
    location.reload();
  };

  // A page that comes from a cache keeps its old generation, and must not reload for ever.
  const reload_once = (generation) => {
    const mark = `${generation} ${made_by} ${location.href}`;
    try {
      if (sessionStorage.getItem(NAME) === mark) return;
      if (!must_ask && !document.hidden) sessionStorage.setItem(NAME, mark);
    } catch {
      // no storage here (a sandboxed frame): then without the guard
    }
    reload();
  };

  const hear = (event) => {
    const is_same_boot = boot_of(event.id) === boot_of(state.since);
    const is_new = !is_same_boot || number_of(event.id) > number_of(state.since);
    if (is_new && event.kind !== "hello") state.since = event.id;
    const is_later = made_by !== null && event.generation > made_by;
    if (event.kind === "hello") return is_later && reload_once(event.generation);
    if (event.kind === "ready" || event.kind === "error") {
      return (is_later || (made_by === null && is_new)) && reload_once(event.generation);
    }
    if (!is_new) return;
    if (event.kind === "css") swap_styles(event.files);
    else if (event.kind === "image") swap_images(event.files);
    else reload();
  };

  const notice = () => {
    if (document.getElementById("refork-notice")) return;
    const box = document.createElement("button");
    box.id = "refork-notice";
    box.textContent = "There is a newer version. Send the form again";
    Object.assign(box.style, {
      position: "fixed", right: "16px", bottom: "16px", zIndex: "2147483647", padding: "8px 14px",
      border: "0", borderRadius: "8px", background: "#23262b", color: "#fff", cursor: "pointer",
      font: "13px/1.5 system-ui, sans-serif", boxShadow: "0 4px 16px rgb(0 0 0 / .25)",
    });
    box.onclick = () => location.reload();
    document.body.append(box);
  };

  // ---- swapping in place ------------------------------------------------------------------------
  const base = (path) => path.split(/[\\/]/).pop();
  const is_ours = (url) => new URL(url, location.href).origin === location.origin;

  // True if the address is of one of the files; style.3f2a9c41.css is style.css with a digest.
  const serves = (url, files) => {
    let name;
    try {
      name = decodeURIComponent(base(new URL(url, location.href).pathname));
    } catch {
      return false;
    }
    const plain = name.replace(/[.-][0-9a-f]{8,64}(?=\.[^.]+$)/i, "");
    return files.some((file) => base(file) === name || base(file) === plain);
  };

  const renewed = (url) => {
    const address = new URL(url, location.href);
    address.searchParams.set("refork", state.since);
    return address.href;
  };

  const former = new WeakMap(); // a link that loads → the links it is to replace

  const swap_link = (link) => {
    const fresh = link.cloneNode();
    former.set(fresh, [...(former.get(link) || []), link]);
    fresh.href = renewed(link.href);
    const done = () => {
      for (const old of former.get(fresh) || []) old.remove();
      former.delete(fresh);
      state.swaps += 1;
    };
    fresh.addEventListener("load", done, { once: true });
    fresh.addEventListener("error", () => fresh.remove(), { once: true });
    link.after(fresh);
  };

  const sheets = () => {
    const links = [...document.querySelectorAll("link[rel~=stylesheet][href]")];
    const replaced = new Set(links.flatMap((link) => former.get(link) || []));
    return links.filter((link) => !replaced.has(link) && is_ours(link.href));
  };

  const rules_of = (sheet) => {
    try {
      return sheet ? [...sheet.cssRules] : [];
    } catch {
      return []; // of another origin: not for us to read
    }
  };

  const imports = (sheet) => {
    const direct = rules_of(sheet).filter((rule) => rule instanceof CSSImportRule);
    return direct.flatMap((rule) => [[rule.href, sheet], ...imports(rule.styleSheet)]);
  };

  // An imported style has no link. It is fetched past the cache, then what imports it is swapped.
  const refetch_imports = async (link, files) => {
    const found = imports(link.sheet)
      .map(([href, sheet]) => new URL(href, sheet.href || location.href).href)
      .filter((url) => is_ours(url) && serves(url, files));
    await Promise.allSettled(found.map((url) => fetch(url, { cache: "reload" })));
    return found.length > 0;
  };

  const swap_styles = async (files) => {
    const links = sheets();
    if (!links.length) return reload();
    let some = links.filter((link) => serves(link.href, files));
    const imported = await Promise.all(links.map((link) => refetch_imports(link, files)));
    some = some.concat(links.filter((link, at) => imported[at] && !some.includes(link)));
    (some.length ? some : links).forEach(swap_link); // none by name: it may be part of any of them
  };

  const renew_in = (text, files) =>
    text.replace(/url\((["']?)(.*?)\1\)/g, (all, quote, url) =>
      serves(url, files) && is_ours(url) ? `url("${renewed(url)}")` : all);

  const renew_set = (text, files) =>
    text.replace(/(^|,\s*)([^\s,]+)/g, (all, lead, url) => lead + (serves(url, files) ? renewed(url) : url));

  const renew_rules = (sheet, files) => {
    const from = (url) => new URL(url, (sheet && sheet.href) || location.href).href;
    for (const rule of rules_of(sheet)) {
      if (rule.styleSheet) renew_rules(rule.styleSheet, files);
      if (rule.cssRules && !rule.styleSheet) renew_rules({ cssRules: rule.cssRules, href: sheet.href }, files);
      for (const name of [...(rule.style || [])]) {
        const value = rule.style.getPropertyValue(name);
        if (!value.includes("url(")) continue;
        const full = value.replace(/url\((["']?)(.*?)\1\)/g, (all, quote, url) => `url("${from(url)}")`);
        const next = renew_in(full, files);
        if (next !== full) rule.style.setProperty(name, next, rule.style.getPropertyPriority(name));
      }
    }
  };

  const swap_images = (files) => {
    for (const image of document.querySelectorAll("img[src], input[type=image][src], video[poster]")) {
      const name = image.poster ? "poster" : "src";
      if (serves(image[name], files)) image[name] = renewed(image[name]);
    }
    for (const image of document.querySelectorAll("[srcset]")) {
      const next = renew_set(image.srcset, files);
      if (next !== image.srcset) image.srcset = next;
    }
    for (const icon of document.querySelectorAll("link[rel~=icon][href]")) {
      if (serves(icon.href, files)) icon.href = renewed(icon.href);
    }
    for (const image of document.querySelectorAll("svg image")) {
      if (serves(image.href.baseVal, files)) image.setAttribute("href", renewed(image.href.baseVal));
    }
    for (const element of document.querySelectorAll("[style*='url(']")) {
      const next = renew_in(element.style.cssText, files);
      if (next !== element.style.cssText) element.style.cssText = next;
    }
    for (const sheet of document.styleSheets) renew_rules(sheet, files);
    state.swaps += 1;
  };

  // ---- hearing of it ----------------------------------------------------------------------------
  let stream = null;
  let channel = null;
  let release = null;
  let timer = 0;
  let pause = 250;
  const heard = [];

  const tell = (message) => channel && channel.postMessage(message);

  const connect = () => {
    clearTimeout(timer);
    const address = new URL("/events", facts.origin);
    address.searchParams.set("since", state.since);
    stream = new EventSource(address);
    stream.onopen = () => {
      state.live = true;
      pause = 250;
      tell({ here: true });
    };
    stream.onmessage = (message) => {
      const event = JSON.parse(message.data);
      heard.push(event);
      heard.splice(0, heard.length - KEPT);
      tell({ event });
      hear(event);
    };
    // Ours to reconnect: a browser gives up after some answers, and never slows down.
    stream.onerror = () => {
      disconnect();
      tell({ here: false });
      timer = setTimeout(connect, pause);
      pause = Math.min(pause * 2, 8000);
    };
  };

  const disconnect = () => {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
    state.live = false;
  };

  const lead = () =>
    new Promise((resolve) => {
      release = resolve;
      state.leads = true;
      connect();
    });

  const share = () => {
    channel = new BroadcastChannel(NAME);
    channel.onmessage = ({ data }) => {
      if (data.event) hear(data.event);
      if (data.event || "here" in data) state.live = data.here !== false;
      if (data.joins && state.leads) {
        tell({ here: state.live });
        heard.forEach((event) => tell({ event }));
      }
    };
    tell({ joins: true });
    const waiting = new AbortController();
    release = () => waiting.abort();
    navigator.locks.request(NAME, { signal: waiting.signal }, lead).catch(() => {}); // left first
  };

  // Without locks (no secure context) each visible tab has a connection of its own.
  const alone = () => (document.hidden ? disconnect() : stream || connect());

  const join = () => {
    if (navigator.locks && window.BroadcastChannel) return share();
    document.addEventListener("visibilitychange", alone);
    alone();
  };

  const leave = () => {
    document.removeEventListener("visibilitychange", alone);
    disconnect();
    state.leads = false;
    if (release) release();
    if (channel) channel.close();
    channel = release = null;
  };

  // A page kept for "back" must hold no lock, and has missed things when it returns.
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && join());
  join();
})();
