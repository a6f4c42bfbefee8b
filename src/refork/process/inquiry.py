"""Asking a running refork: an abstract unix socket (unix(7)), for processes of the same user only.

Nothing is on the file system: the name holds user and process, and /proc/net/unix lists it. Both
ends ask the kernel who the other one is (SO_PEERCRED), for anybody may bind any name.

A question is one line of JSON; the answer is UTF-8 text up to the end of the connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable

from refork.errors import ReforkError

Answer = Callable[[str | None], Awaitable[str]]
"""From the path that is asked about, None for an overview, to the text to show."""

LONGEST_QUESTION = 32 << 10
"""Bytes: a path is at most 4096 (PATH_MAX), and JSON may need six for each."""

LONGEST_ANSWER = 1 << 20

DEADLINE = 10.0
"""Seconds for all of one answer: a parked process may have to look at all its objects."""

AT_ONCE = 4
"""Questions answered at a time."""

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""


class Inquiries:
    """The end that answers."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.AbstractServer | None = None
        self._busy = 0

    async def open(self) -> None:
        """Begin to answer. Without abstract sockets, or with the name taken, nobody can ask."""
        if not hasattr(socket, "SO_PEERCRED"):
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(name(os.getuid(), os.getpid()))
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=LONGEST_QUESTION, backlog=AT_ONCE
            )
        except OSError:
            listener.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._busy += 1
        try:
            ours = peer(writer.get_extra_info("socket"))[1] == os.getuid()
            if ours and self._busy <= AT_ONCE:
                await asyncio.wait_for(self._converse(reader, writer), DEADLINE)
        except (OSError, ValueError, asyncio.TimeoutError):
            return  # whoever asked is gone, too slow, or says nothing that is a question
        finally:
            self._busy -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = json.loads(await reader.readline())
        if question is not None and not isinstance(question, str):
            raise ValueError("not a question")
        try:
            text = await self._answer(question)
        except Exception as error:  # a question changes nothing, so it may not end what runs either
            text = f"this could not be found out: {error!r}"
        writer.write(text.encode("utf-8", "backslashreplace")[:LONGEST_ANSWER])
        await writer.drain()


def name(uid: int, pid: int) -> str:
    """The abstract name under which refork with this pid, of this user, can be asked."""
    return f"\0refork-{uid}-{pid}"


def peer(connected: socket.socket) -> tuple[int, int]:
    """Pid and uid of the other end, as the kernel knows them."""
    pid, uid, _gid = _CREDENTIALS.unpack(
        connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid


def running() -> dict[int, str]:
    """The reforks of this user that can be asked: their pids, with their working directories."""
    listed = re.compile(rf"@refork-{os.getuid()}-(\d+)$", re.MULTILINE)
    found = {}
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        pids = {int(pid) for pid in listed.findall(file.read())}
    for pid in sorted(pids):
        try:
            found[pid] = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue  # it ended, or the name is somebody else's
    return found


def ask(pid: int, question: str | None) -> str:
    """Ask the refork with this pid; return its answer.

    Raises ReforkError when there is none: the message says why.
    """
    deadline = time.monotonic() + DEADLINE
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        try:
            connected.settimeout(DEADLINE)
            connected.connect(name(os.getuid(), pid))
            if peer(connected) != (pid, os.getuid()):
                raise ReforkError(f"explain: process {pid} is not the refork it is called")
            connected.sendall(json.dumps(question).encode("ascii") + b"\n")
            text = _read(connected, deadline)
        except OSError as error:
            raise ReforkError(f"explain: refork (process {pid}) does not answer: {error}") from None
    if not text:
        raise ReforkError(f"explain: refork (process {pid}) does not answer; try again")
    return text.decode("utf-8", "replace")


def _read(connected: socket.socket, deadline: float) -> bytes:
    data = b""
    while len(data) < LONGEST_ANSWER:
        connected.settimeout(max(deadline - time.monotonic(), 0.001))
        more = connected.recv(1 << 16)
        if not more:
            break
        data += more
    return data
