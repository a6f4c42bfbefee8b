// The page's own watch: turns into the program once the program answers again.
// The live-reload client, where it runs, is told at once and reloads first.
(() => {
  "use strict";
  const { generation, ask } = document.currentScript.dataset;
  const words = document.getElementById("words");
  const again = document.getElementById("again");
  let asking = false;

  // To reload a page that answered a form would send the form again: that is for the reader to say.
  const turn = (is_mended) => {
    if (ask === "0") return location.reload();
    words.textContent = is_mended ? "The program runs again." : "There is a newer error.";
    document.getElementById("status").classList.add("mended");
    again.hidden = false;
    again.onclick = () => location.reload();
    clearInterval(timer);
  };

  // HEAD is safe to repeat. Until the next generation listens, it waits in the backlog like the rest.
  const look = async () => {
    if (asking || document.hidden || (window.__refork && window.__refork.live)) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
      const shown = answer.headers.get("X-Refork-Error");
      if (shown !== generation) turn(shown === null);
      words.classList.remove("away");
    } catch {
      words.classList.add("away");
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
})();
for (const mark of document.querySelectorAll(".focus mark")) {
  const box = mark.closest(".code");
  if (mark.offsetLeft > box.clientWidth * 0.8) box.scrollLeft = mark.offsetLeft - box.clientWidth / 3;
}
