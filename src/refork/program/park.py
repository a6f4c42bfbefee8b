"""Takes checkpoints, parks, and goes on again.

At a checkpoint this process forks. The parent parks: it waits on a channel of its own, and nothing later ever
happens in it. The child is the program and goes on. To resume, the parked process forks once more.

A parked process that finds its channel closed has lost its supervisor: it stops everything below it and goes.
"""

from __future__ import annotations

import _signal
import _thread
import gc
import os
import sys
import time

from refork.program import barriers as hazards
from refork.program import channel as channels
from refork.program import loops
from refork.program.channel import Channel, Gone
from refork.program.forking import execute, fork, random_state, renew_main_thread, restore_random
from refork.program.frames import hidden
from refork.program.handover import (
    block_signals,
    drop_signals,
    renew_files,
    take_signals,
    unblock_signals,
)
from refork.program.journal import journal
from refork.program.ladder import Start, ladder
from refork.program.leaving import leave, waitpid
from refork.program.steps import Originals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

resumed: list[Callable[[Start], None]] = []
"""What is to be done in a resumed process before user code goes on."""

standing_by: list[Callable[[], None]] = []
"""What a spare can do beforehand of what is to be done then."""

let_go: list[Callable[[Start], None]] = []
"""What is to be done after that, when the old generation is gone."""

parting: list[Callable[[], None]] = []
"""What is to be done in a program right before it forks a checkpoint."""

going_on: list[Callable[[], None]] = []
"""What is to be done in the process that goes on from a checkpoint, when it may be spoken to."""


@hidden  # as the next one: a Ctrl-C that came meanwhile is raised in here
def take(kind: str, at: str) -> bool:
    """Take a checkpoint here, unless a barrier forbids it.

    `at` is `path:line`. Returns whether one was taken; in a resumed process it returns again.
    """
    if not ladder.enabled() or not _in_main_thread():
        return False
    if ladder.stop is not None:
        ladder.stop(kind, at)
        return False
    journal.quiet += 1
    try:
        reason = _barrier()
        hazards.brinks.look(reason)
        if reason:
            _tell_barrier(at, reason)
            return False
        before, began = ladder.start, time.monotonic()
        journal.sweep()
        try:
            _checkpoint(kind, at)
        except (OSError, RuntimeError) as error:
            _tell_barrier(at, f"a fork failed: {error}")
            return False
        ladder.taken(began)
    finally:
        journal.quiet -= 1
    start = ladder.start
    if start is not before and start is not None and start.collects and gc.isenabled():
        _collect()
        return take(kind, at)
    return True


@hidden
def _collect() -> None:
    """Have the collector do now what it would do soon. What it throws away is the program's, finalizers too."""
    quiet, journal.quiet = journal.quiet, 0
    try:
        gc.collect()
    finally:
        journal.quiet = quiet


def look_back() -> None:
    """Let go of checkpoints that were taken in haste, and for nothing, if they cost too much as they are:
    when a parked process is gone, nothing that it shared is copied any more."""
    if not ladder.enabled() or not _in_main_thread():
        return
    journal.quiet += 1
    try:
        if not _barrier():
            if not ladder.is_within():
                journal.tell("passed", hazards.brinks.taken)
            hazards.brinks.look("")
    finally:
        journal.quiet -= 1


def _tell_barrier(at: str, reason: str) -> None:
    if reason not in ladder.told:
        ladder.told.add(reason)
        journal.tell("barrier", at, reason)


def _barrier() -> str:
    try:
        return hazards.barriers.found()
    except Exception as error:  # modules may be half loaded here: what cannot be looked at is no go
        return f"it could not be looked at: {error!r}"


def _in_main_thread() -> bool:
    """Asked of the kernel: `threading` may be half loaded just now."""
    return _thread.get_native_id() == os.getpid()


@hidden
def _checkpoint(kind: str, at: str) -> None:
    flush_output()
    mask = block_signals()
    try:
        _fork(kind, at)
    finally:
        for action in going_on:
            action()
        unblock_signals(mask)


@hidden
def _fork(kind: str, at: str) -> None:
    stack = tuple((running.steps.path, running.needs()) for running in ladder.running)
    number, pid = ladder.next_id, os.getpid()
    for action in parting:
        action()
    journal.flush()
    numbers = random_state()
    collecting = gc.isenabled()
    loops.keep()
    ours, theirs = channels.pair()
    try:
        forked = fork()
    except BaseException as error:
        ours.close()
        os.close(theirs)
        if isinstance(error, (OSError, RuntimeError)):
            raise  # no memory, too many processes, or (3.12+) the interpreter is ending
        raise RuntimeError(type(error).__name__) from None  # an audit hook of the program's own
    if forked:
        os.close(theirs)
        _park(ours, number)
        # only a resumed child comes here
    else:
        ours.close()
        ladder.next_id += 1
        taken = take_signals(pid)  # before the supervisor can dismiss the parent
        journal.tell("checkpoint", number, pid, at, kind, stack, ladder.ahead, fds=[theirs])
        os.close(theirs)
        journal.tell("going", os.getpid(), taken)
        renew_files(hazards.barriers.inherited | hazards.barriers.ours)
        loops.renew()
    journal.pid = os.getpid()
    renew_main_thread()
    restore_random(numbers)
    if collecting:
        gc.enable()


def flush_output() -> None:
    """What waits in a buffer at a fork would be written twice."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except Exception:
            continue


def _park(own: Channel, number: int) -> None:
    """Wait for the supervisor's word. Returns in a resumed child only."""
    gc.disable()  # a collection here would touch, and so copy, the memory shared with the program
    if journal.channel is not None:
        journal.channel.close()
        journal.channel = None
    childless = _signal.getsignal(_signal.SIGCHLD) == _signal.SIG_IGN
    if childless:  # or wait(2) would wait for all children, those that are parked too
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    while not _obey(own):
        pass
    if childless:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)


def _obey(own: Channel) -> bool:
    """Do what the supervisor says next; True in a resumed child."""
    try:
        message, fds = own.receive()
    except Gone as gone:
        if isinstance(gone.__cause__, ConnectionResetError):
            return False  # closed with an answer of ours unread (unix(7)): what it had said is still there
        leave()
    try:
        if message[0] == "resume":
            return _resume(own, message, fds)
        if message[0] == "spare":
            return _stand_by(own, fds)
        if message[0] == "reap":
            _reap(own, message)
        elif message[0] == "tidy":
            _tidy(own)
        elif message[0] == "execute":
            execute(own, message, fds)
        elif message[0] in ("consider", "prepare", "survey", "where"):
            _answer(own, message)
        elif message[0] == "usual":
            from refork.program.twins.twin import stash

            stash.expect(*message[1:])
        elif message[0] == "dismiss":
            os._exit(0)
    except Gone:
        return False  # nobody waits for this answer: what was said after the question tells why
    except BaseException:  # whatever it is: a parked process must not go on as a second program
        sys.__excepthook__(*sys.exc_info())
        leave()
    return False


def _resume(own: Channel, message: tuple[Any, ...], fds: list[int]) -> bool:
    """Fork; return True in the child, which is the program now."""
    channel = _fork_off(own, fds)
    if channel is not None:
        adopt(Start(message[1]), channel, fds[1:])
    return channel is not None


def _fork_off(own: Channel, fds: list[int]) -> Channel | None:
    """Fork; return, in the child, the channel that is the first of `fds`, and None in the parked process."""
    try:
        pid = fork()
    except OSError as error:
        own.send("failed", str(error))
        for fd in fds:
            os.close(fd)
        return None
    if pid:
        for fd in fds:
            os.close(fd)
        own.send("forked", pid)
        return None
    own.close()
    channel = Channel(fds[0])
    renew_files(hazards.barriers.inherited | {channel.fileno(), *fds[1:]})
    loops.renew()
    return channel


def _stand_by(own: Channel, fds: list[int]) -> bool:
    """Fork a spare, ahead of the edit it is for; return True in it when it is the program now.

    It has behind it what takes the longer the larger a program is: the fork, and the first writes to shared memory.
    """
    channel = _fork_off(own, fds)
    if channel is None:
        return False
    for action in standing_by:
        action()
    while True:
        try:
            message, held = channel.receive()
            if message[0] == "resume":
                drop_signals()
                fields: Any = message[1]
                adopt(Start(fields), channel, held)
                return True
            _answer(channel, message)
        except Gone:
            os._exit(0)


def _answer(own: Channel, message: tuple[Any, ...]) -> None:
    with Originals():
        from refork.program.grafts import graft

        graft.answer(own, message)


def adopt(start: Start, channel: Channel, held: list[int]) -> None:
    """Become the program of generation `start.generation`, and wait for the word to go on."""
    journal.channel = channel
    journal.pid = os.getpid()
    journal.generation = start.generation
    journal.met = "", None  # before it was parked
    ladder.statuses.clear()
    ladder.start = start
    ladder.next_id = start.next_id
    hazards.barriers.ours = {channel.fileno(), *held}
    os.environ["REFORK_GENERATION"] = str(start.generation)
    os.environ.update(start.environ)
    for running in ladder.running:
        text = start.changed.get(running.steps.path)
        if text is not None:
            running.edited = text
    for action in resumed:
        action(start)
    channel.send("awake")
    _wait_for_go(start, channel)
    ladder.begin()
    ladder.full_collections = _full_collections()
    for action in let_go:
        action(start)
    if start.verify is not None:
        from refork.program.grafts import verify

        verify.begin(start.verify, channel)
    if start.hoist is not None:
        from refork.program.twins import hoist

        hoist.begin(start.hoist, channel)


def _full_collections() -> int:
    """How many full collections the collector has made in this process and those it was forked from."""
    return int(gc.get_stats()[2]["collections"])


def serves() -> None:
    """The program has loaded all: say so if it had a full collection on the way."""
    now = _full_collections()
    if now > ladder.full_collections:
        ladder.full_collections = now
        journal.tell("collected")


def _wait_for_go(start: Start, channel: Channel) -> None:
    """The old generation is being stopped meanwhile; user code goes on only when it is gone."""
    try:
        message, fds = channel.receive()
    except Gone:
        os._exit(0)
    if message[0] != "go":
        os._exit(0)
    held: Any = message[1]
    start.held = [tuple(key) for key in held]
    for old in journal.fresh:
        if os.path.lexists(f"/proc/self/fd/{old}"):  # the program may have closed all it found
            os.close(old)
    journal.fresh = [channels.out_of_the_way(fd) for fd in fds]
    hazards.barriers.ours |= set(journal.fresh)


def _reap(own: Channel, message: tuple[Any, ...]) -> None:
    """Wait for a child that ended, and say how; -1: it is no child of this process."""
    pid = message[1]
    status = ladder.statuses.pop(pid, -1)
    if status == -1:
        try:
            _pid, status = waitpid(pid, 0)
        except ChildProcessError:
            status = -1
    own.send("reaped", pid, status)


def _tidy(own: Channel) -> None:
    """Wait for all children that ended meanwhile."""
    while True:
        try:
            pid, status = waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            break
        ladder.statuses[pid] = status
    own.send("tidied")
