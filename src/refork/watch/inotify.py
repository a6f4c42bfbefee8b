"""Linux: the kernel says at once which name in which directory changed, and costs nothing idle.

Three kinds of directories are watched, each in one :class:`Post`:

* the directories asked for, for everything that can happen in them;
* the directories on the way to them, because a rename further up is not told to those below;
* the directories where the way hangs on a name: a symbolic link, or what does not exist yet.

inotify(7) says what the bits mean. Two things it says in passing matter here: events lead from an
inode, so the same directory watched under two paths has one watch; and a directory removed while
somebody stands in it (the program, very often) does not say so itself, only its parent does.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from inotify_simple import Event, INotify, flags

from refork.watch.base import Findings, Hints, WatchLimit
from refork.watch.trail import Trail, Walk

_PASS = int(flags.ONLYDIR | flags.MASK_ADD | flags.EXCL_UNLINK) | int(
    flags.DELETE_SELF | flags.MOVE_SELF | flags.DELETE | flags.MOVED_TO
)
_JOINT = _PASS | flags.CREATE | flags.MOVED_FROM
_LEAF = _JOINT | flags.MODIFY | flags.CLOSE_WRITE | flags.ATTRIB

_SELF_GONE = flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT | flags.IGNORED
_NAME_GONE = flags.DELETE | flags.MOVED_FROM
_NAME_TURNED = _NAME_GONE | flags.MOVED_TO | flags.CREATE

_LIMITS = {
    errno.ENOSPC: "more than {} watches; sysctl fs.inotify.max_user_watches=524288 allows more",
    errno.EMFILE: "one more instance; sysctl fs.inotify.max_user_instances=1024 allows more, "
    "or ulimit -n",
    errno.ENFILE: "one more instance: the system has too many files open",
    errno.ENOMEM: "more than {} watches: memory is short",
}
_ROUNDS = 64
"""More than a path has missing components that could appear one by one while we look."""


@dataclass
class Post:
    """A real directory that is watched, and on whose behalf.

    Attributes:
        leaves: directories, as asked for, that lead here.
        joints: a name in here → directories asked for whose way hangs on it.
        passers: directories asked for whose way leads through here.
        descriptor: the kernel's number for it; None while it cannot be watched.
    """

    leaves: set[str] = field(default_factory=set)
    joints: dict[str, set[str]] = field(default_factory=dict)
    passers: set[str] = field(default_factory=set)
    descriptor: int | None = None

    def mask(self) -> int:
        """What to ask the kernel for; 0 when nobody needs this post any more."""
        if self.leaves:
            return int(_LEAF)
        if self.joints:
            return int(_JOINT)
        return _PASS if self.passers else 0

    def everyone(self) -> set[str]:
        """All directories asked for that depend on this one."""
        return self.leaves.union(self.passers, *self.joints.values())


class InotifyWatcher:
    """The back-end of Linux. See :class:`refork.watch.base.Watcher`.

    Attributes:
        blind: directories asked for that may not be read.

    Raises:
        WatchLimit: no more inotify instances are to be had.
    """

    name = "inotify"

    def __init__(self) -> None:
        try:
            self._inotify = INotify()
        except OSError as error:
            raise _limit(error, 0) from error
        self.blind: dict[str, str] = {}
        self._files: frozenset[str] = frozenset()
        self._trails: dict[str, Trail] = {}
        self._posts: dict[str, Post] = {}
        self._stands: dict[int, set[str]] = {}  # descriptor → the paths of its posts
        self._dirty: set[str] = set()  # posts whose watch is to be renewed
        self._writing: set[str] = set()  # files somebody has open for writing, as far as told

    def fileno(self) -> int:
        return int(self._inotify.fileno())

    def close(self) -> None:
        self._inotify.close()

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        self._files = frozenset(files)
        wanted = frozenset(directories)
        for directory in self._trails.keys() - wanted:
            self._leave(directory)
            del self._trails[directory]
            self.blind.pop(directory, None)
        self._settle(wanted - self._trails.keys())

    # ------------------------------------------------------------------ where to stand

    def _settle(self, directories: Collection[str]) -> None:
        """Walk to *directories* and watch the ways, until a last look finds nothing new.

        What changes after a place was watched comes as an event; what changes before is seen by
        the next look. So nothing falls in between.
        """
        pending = forced = set(directories)
        for _ in range(_ROUNDS):
            walk = Walk()
            moved = set()
            for directory in pending:
                trail = walk.trail(directory)
                if directory in forced or trail != self._trails.get(directory):
                    self._take(directory, trail)
                    moved.add(directory)
            forced = self._renew()
            pending = moved | forced
            if not pending:
                return

    def _take(self, directory: str, trail: Trail) -> None:
        """Let *directory* depend on the posts along *trail*, and on no others."""
        if directory in self._trails:
            self._leave(directory)
        self._trails[directory] = trail
        for path in trail.passed:
            self._post(path).passers.add(directory)
        for path, name in trail.joints:
            self._post(path).joints.setdefault(name, set()).add(directory)
        if trail.real is not None:
            self._post(trail.real).leaves.add(directory)

    def _leave(self, directory: str) -> None:
        """Undo :meth:`_take`."""
        trail = self._trails[directory]
        for path in trail.passed:
            self._post(path).passers.discard(directory)
        for path, name in trail.joints:
            joints = self._post(path).joints
            joints.get(name, set()).discard(directory)
            if not joints.get(name):
                joints.pop(name, None)
        if trail.real is not None:
            self._post(trail.real).leaves.discard(directory)

    def _post(self, path: str) -> Post:
        self._dirty.add(path)
        post = self._posts.get(path)
        if post is None:
            post = self._posts[path] = Post()
        return post

    def _renew(self) -> set[str]:
        """Bring the kernel's watches in line, parents first. Returns the directories whose way
        was found broken meanwhile."""
        broken: set[str] = set()
        dirty, self._dirty = sorted(self._dirty), set()
        for path in dirty:
            post = self._posts[path]
            mask = post.mask()
            descriptor = self._add(path, mask) if mask else None
            if descriptor != post.descriptor:
                self._retire(path, post)
                if descriptor is not None:
                    self._stands.setdefault(descriptor, set()).add(path)
                post.descriptor = descriptor
            if not mask:
                del self._posts[path]
            elif descriptor is None:
                broken |= self._unwatched(path, post)
        return broken

    def _add(self, path: str, mask: int) -> int | None:
        """Ask the kernel. The descriptor is the old one if the directory is the old one."""
        try:
            return int(self._inotify.add_watch(path, mask))
        except OSError as error:
            if error.errno in _LIMITS:
                raise _limit(error, len(self._stands)) from error
            return None

    def _unwatched(self, path: str, post: Post) -> set[str]:
        """*path* could not be watched: because it went, or because it may not be read?"""
        if os.path.isdir(path):
            self.blind.update(dict.fromkeys(post.leaves, "it may not be read, nor watched"))
            return set()
        return post.everyone()

    def _retire(self, path: str, post: Post) -> None:
        """Give the kernel's watch back when no other path stands on it."""
        if post.descriptor is None:
            return
        paths = self._stands.get(post.descriptor, set())
        paths.discard(path)
        if not paths:
            self._stands.pop(post.descriptor, None)
            try:
                self._inotify.rm_watch(post.descriptor)
            except OSError:
                pass  # the kernel dropped it together with the directory

    # ------------------------------------------------------------------ what is heard

    def read(self) -> Hints:
        findings = Findings()
        turned: set[str] = set()
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                findings.lost = True
                turned |= self._trails.keys()
                continue
            for path in tuple(self._stands.get(event.wd, ())):
                turned.update(self._hear(path, event, findings))
        if turned:
            self._settle(turned & self._trails.keys())
        return findings.hints()

    def _hear(self, path: str, event: Event, findings: Findings) -> Iterable[str]:
        """Note what *event* says about the post at *path*. Returns the directories to walk to
        once more."""
        post = self._posts[path]
        if event.mask & _SELF_GONE:
            if event.mask & flags.IGNORED:
                post.descriptor = None
                self._stands.pop(event.wd, None)
            return _turn(post.everyone(), findings.later)
        spellings = list(_spell(post.leaves, event.name)) if event.name else []
        hanging = self._hanging_on(post, path, event)
        if not spellings and not hanging:
            return ()
        finished = self._finished(os.path.join(path, event.name), event, spellings)
        note = findings.now if finished else findings.later
        if finished is not None:
            for spelling in spellings:
                note(spelling)
        return _turn(hanging, note)

    def _hanging_on(self, post: Post, path: str, event: Event) -> set[str]:
        """Directories asked for whose way leads over the name in *event*."""
        if not event.mask & _NAME_TURNED:
            return set()
        below = self._posts.get(os.path.join(path, event.name))
        users = post.joints.get(event.name, set())
        return users | below.everyone() if below else set(users)

    def _finished(self, path: str, event: Event, spellings: list[str]) -> bool | None:
        """Whether the file is complete now; None: not worth a hint."""
        mask = event.mask
        if mask & (flags.CLOSE_WRITE | flags.MOVED_TO):
            self._writing.discard(path)
            return True
        if mask & _NAME_GONE:
            self._writing.discard(path)
            return False
        if mask & flags.CREATE:
            if not mask & flags.ISDIR:
                if _complete_at_birth(path):
                    return True
                self._writing.update([path] if spellings else [])
            return False
        if mask & flags.MODIFY:
            self._writing.add(path)
            return False if not self._files.isdisjoint(spellings) else None
        return path not in self._writing


def _turn(directories: set[str], note: Callable[[str], None]) -> set[str]:
    for directory in directories:
        note(directory)
    return directories


def _spell(directories: Iterable[str], name: str) -> Iterator[str]:
    return (os.path.join(directory, name) for directory in directories)


def _complete_at_birth(path: str) -> bool:
    """Whether what was just created is a link: nobody will write to it and close it."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(status.st_mode) or status.st_nlink > 1


def _limit(error: OSError, watches: int) -> WatchLimit:
    unknown = f"to work: {os.strerror(error.errno or 0)}"
    return WatchLimit("inotify refuses " + _LIMITS.get(error.errno or 0, unknown).format(watches))
