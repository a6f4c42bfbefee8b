"""Mounts where somebody else may change files without this kernel being told.

An event is made by the kernel that does the writing. On a network mount, in a container or a
virtual machine that can be another kernel, and then no event comes, although our own probe file
gives one. So these file systems are known by name, and polled besides being listened to.
"""

from __future__ import annotations

import os

_REMOTE = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "beegfs"),
        *("9p", "drvfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "fakeowner", "ocfs2", "gfs2"),
    )
)
"""File system types as in /proc/self/mountinfo. 9p: WSL 2 (``/mnt/c``), gVisor, QEMU; drvfs:
WSL 1; virtiofs, vboxsf, vmhgfs, prl_fs: shared folders of virtual machines; fakeowner: Docker
Desktop. Everything mounted by FUSE counts as well (sshfs, gcsfuse, osxfs and others)."""


def is_remote(kind: str) -> bool:
    """Whether a file system of this type can change behind the kernel's back."""
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")


def remote_devices(mountinfo: str = "/proc/self/mountinfo") -> dict[int, str]:
    """Device number (``st_dev``) → file system type, of all mounts that are remote.

    Args:
        mountinfo: the table to read (proc_pid_mountinfo(5)). Where there is none, nothing is
            known to be remote.
    """
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
            return dict(device for line in lines for device in _parse(line))
    except OSError:
        return {}


def _parse(line: str) -> list[tuple[int, str]]:
    head, _, tail = line.partition(" - ")
    major, _, minor = head.split()[2].partition(":")
    kind = tail.split()[0]
    return [(os.makedev(int(major), int(minor)), kind)] if is_remote(kind) else []


def device(directory: str) -> int | None:
    """The device *directory* is on, or would be on if it existed; None if that cannot be told."""
    while True:
        try:
            return os.stat(directory).st_dev
        except ValueError:  # a NUL in it
            return None
        except OSError:
            parent = os.path.dirname(directory)
            if parent == directory:
                return None
            directory = parent
