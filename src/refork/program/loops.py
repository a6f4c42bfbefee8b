"""A running asyncio event loop across a fork: the child that goes on gets a selector of its own.

asyncio forgets its loop in a forked child: it compares process ids, and since 3.12 it also resets
the policy's notes and the wake-up descriptor (`on_fork` in asyncio/events.py). Here the child is
the program itself, which goes on in the middle of that loop; so what was is kept before the fork,
and put back after it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Kept:
    """What asyncio forgets at a fork."""

    def __init__(self) -> None:
        self.loop: Any = None
        self.policy: Any = None
        self.local: Any = None
        self.wakeup = -1


_kept = Kept()


def keep() -> None:
    """Note before a fork what `renew` is to put back after it."""
    _kept.loop = running_loop()
    events = sys.modules.get("asyncio.events")
    _kept.policy = getattr(events, "_event_loop_policy", None)
    _kept.local = getattr(_kept.policy, "_local", None)
    _kept.wakeup = -1
    if _kept.loop is not None:
        signal: Any = sys.modules["_signal"]
        _kept.wakeup = signal.set_wakeup_fd(-1)
        if _kept.wakeup != -1:
            signal.set_wakeup_fd(_kept.wakeup, warn_on_full_buffer=False)


def renew() -> None:
    """In the child that goes on: put back what was kept, with a selector and a self-pipe of its
    own.
    """
    if _kept.local is not None:
        _kept.policy._local = _kept.local
    loop = _kept.loop
    if loop is None or not _renewable(loop):
        return
    events: Any = sys.modules["asyncio.events"]
    signal: Any = sys.modules["_signal"]
    events._set_running_loop(loop)
    signal.set_wakeup_fd(-1)
    woken_by_loop = _kept.wakeup == loop._csock.fileno()
    _renew_descriptors(loop)
    if _kept.wakeup != -1:
        wakeup = loop._csock.fileno() if woken_by_loop else _kept.wakeup
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)


def _renew_descriptors(loop: Any) -> None:
    """An epoll descriptor is shared with the process that was forked, and so is the self-pipe."""
    shared, loop._selector = loop._selector, type(loop._selector)()
    shared.close()
    loop._ssock.close()
    loop._csock.close()
    loop._internal_fds -= 1
    loop._make_self_pipe()


def running_loop() -> Any:
    """The asyncio event loop that runs in this thread, or None."""
    asyncio = sys.modules.get("_asyncio") or sys.modules.get("asyncio.events")
    running = getattr(asyncio, "_get_running_loop", None)  # the module may be half loaded just now
    return running() if running is not None else None


def loop_descriptors() -> set[int]:
    """Descriptors of a running loop that `renew` can make anew; none if it waits for others."""
    loop = running_loop()
    if loop is None or not _renewable(loop):
        return set()
    own = {loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno()}
    others = {key.fd for key in loop._selector.get_map().values()} - own
    return set() if others else own


def _renewable(loop: Any) -> bool:
    unix_events = sys.modules.get("asyncio.unix_events")
    return unix_events is not None and type(loop) is unix_events.SelectorEventLoop
