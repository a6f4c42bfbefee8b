"""A program as a value: files made of blocks, so that edits and shrinking stay meaningful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

Definition = tuple[str, str]
"""What a block defines: kind (``int``, ``func``, ``class``, ``list``, ``module``…) and name."""


@dataclass(frozen=True)
class Block:
    """One or a few top-level statements (or lines of a data file). ``uid`` survives edits."""

    uid: int
    text: str
    defines: tuple[Definition, ...] = ()
    fixed: bool = False  # the harness's own lines: not edited, not removed

    def with_text(self, text: str) -> Block:
        return replace(self, text=text)


File = tuple[Block, ...]


@dataclass(frozen=True)
class Tree:
    """All files of a program by relative path. Never mutated: edits make a new one."""

    files: Mapping[str, File] = field(default_factory=dict)

    def text(self, path: str) -> str:
        return "".join(block.text for block in self.files[path])

    def texts(self) -> dict[str, str]:
        return {path: self.text(path) for path in self.files}

    def with_file(self, path: str, blocks: Iterable[Block]) -> Tree:
        return Tree({**self.files, path: tuple(blocks)})

    def without(self, path: str) -> Tree:
        return Tree({name: file for name, file in self.files.items() if name != path})

    def without_blocks(self, uids: frozenset[int]) -> Tree:
        """The same program less some blocks; used when shrinking."""
        kept = {
            path: tuple(block for block in file if block.uid not in uids)
            for path, file in self.files.items()
        }
        return Tree(kept)

    def modules(self) -> list[str]:
        return [path for path in self.files if path.endswith(".py")]

    def data(self) -> list[str]:
        return [path for path in self.files if not path.endswith(".py")]


def changed_paths(old: Tree, new: Tree) -> list[str]:
    """Paths whose text differs, or that only one of the two has, in a stable order."""
    before, after = old.texts(), new.texts()
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))


def dotted(path: str) -> str:
    """The module name a file has when its program's folder is on ``sys.path``."""
    name = path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")
