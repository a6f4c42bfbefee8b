"""Answers of ASGI applications that never end by themselves, and their end."""

from __future__ import annotations

from refork.program.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any

    Message = MutableMapping[str, Any]

ENDLESS = ("text/event-stream", "multipart/x-mixed-replace")
"""Types of answers that do not end by themselves."""


def is_endless(headers: Iterable[tuple[str, str]]) -> bool:
    """True for the headers of an answer that never ends by itself."""
    return any(
        name.lower() == "content-type" and value.lower().startswith(ENDLESS)
        for name, value in headers
    )


class EndStreams:
    """An ASGI application whose event streams and WebSockets end when `end` is called."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self._streams: set[asyncio.Task[Any]] = set()
        self._is_ending = False

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await self.call(scope, receive, send)

    @hidden
    def call(self, scope: Message, receive: Any, send: Any) -> Awaitable[None]:
        """The application, with no frame of its own in the tracebacks of what fails in it."""
        import asyncio

        task = asyncio.current_task()
        if scope["type"] not in ("http", "websocket") or task is None:
            return self.app(scope, receive, send)
        if scope["type"] == "websocket":
            self._note(task)
            return Call(self, task, self.app(scope, receive, send), None)
        noting = _noting(send, lambda: self._note(task))
        return Call(self, task, self.app(scope, receive, noting), send)

    def end(self) -> None:
        """Cancel what has no end; each answer is closed as if it had ended."""
        self._is_ending = True
        for task in list(self._streams):
            task.cancel()

    def was_ended(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task was cancelled by `end`; it is not cancelled any more then."""
        if not (self._is_ending and task in self._streams):
            return False
        if hasattr(task, "uncancel"):
            task.uncancel()
        return True

    def _note(self, task: asyncio.Task[Any]) -> None:
        self._streams.add(task)
        if self._is_ending:
            task.cancel()

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Its answer is over."""
        self._streams.discard(task)


class Call:
    """One call of an application, awaited: it ends like one that returned when it is cancelled by us.

    What an `async def` with `try` around an `await` would be, but for the frame.
    """

    def __init__(
        self, streams: EndStreams, task: asyncio.Task[Any], running: Any, send: Any
    ) -> None:
        self._streams = streams
        self._task = task
        self._running = running.__await__()
        self._send = send

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    @hidden
    def __next__(self) -> Any:
        return self._go_on(self._running.__next__)

    @hidden
    def send(self, value: Any) -> Any:
        """As of a coroutine."""
        if value is None:
            return self._go_on(self._running.__next__)
        return self._go_on(self._running.send, value)

    @hidden
    def throw(self, *error: Any) -> Any:
        """As of a coroutine."""
        return self._go_on(self._running.throw, *error)

    def close(self) -> None:
        """As of a coroutine."""
        self._streams.forget(self._task)
        self._running.close()

    @hidden
    def _go_on(self, step: Any, *with_what: Any) -> Any:
        import asyncio

        try:
            return step(*with_what)
        except asyncio.CancelledError:
            if not self._streams.was_ended(self._task):
                raise
            self._running = _closing(self._send).__await__()
            self._streams.forget(self._task)
            return next(self._running)
        except BaseException:  # its end, or its failure: both are the caller's
            self._streams.forget(self._task)
            raise


async def _closing(send: Any) -> None:
    if send is not None:
        await send({"type": "http.response.body"})


def _noting(send: Any, note: Callable[[], None]) -> Any:
    """`send`, which calls `note` when an answer without an end begins."""

    @hidden
    def noting(message: Message) -> Any:
        if message["type"] == "http.response.start" and is_endless(_text(message)):
            note()
        return send(message)

    return noting


def _text(message: Message) -> list[tuple[str, str]]:
    headers = message.get("headers", ())
    return [
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers
    ]
