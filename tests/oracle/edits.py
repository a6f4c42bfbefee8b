"""Random edits of a whole program: what a person at an editor does to it, and git, and chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import surgery
from .forge import Forge
from .grammar import GRAMMAR
from .programs import ENTRY, content, context, data
from .tree import Block, File, Tree, dotted

Edit = Callable[["Editor", Tree], "Tree | None"]
EDITS: list[tuple[int, Edit]] = []
ABSENT = (
    *("o_local.py", "o_opt.py", "o_settings_local.py", "o_pkg/extra.py"),
    *("later/o_local.py", "later/o_opt.py"),
)
SHADOWS = ("fractions.py", "shlex.py", "early/o_a.py", "early/o_b.py", "early/json.py")


def edit(weight: int) -> Callable[[Edit], Edit]:
    def register(function: Edit) -> Edit:
        EDITS.append((weight, function))
        return function

    return register


@dataclass
class Editor:
    """Makes edits, most of them in the file edited last."""

    forge: Forge
    hot: str = ENTRY

    def change(self, tree: Tree) -> Tree:
        """One edit that fits."""
        weights = [weight for weight, _ in EDITS]
        while True:
            (chosen,) = self.forge.rng.choices(EDITS, weights)
            new = chosen[1](self, tree)
            if new is not None and new.texts() != tree.texts():
                return new

    def path(self, tree: Tree) -> str:
        """A module to edit."""
        if self.hot not in tree.files or self.forge.chance(0.45):
            self.hot = self.forge.rng.choice(tree.modules())
        return self.hot

    def place(self, file: File) -> int:
        """A position for a new block: before the closing lines, after the opening ones."""
        first = 1 if file and file[0].fixed else 0
        last = len(file) - 1 if len(file) > first and file[-1].fixed else len(file)
        return self.forge.rng.randint(first, max(first, last))

    def movable(self, file: File) -> list[int]:
        return [i for i, block in enumerate(file) if not block.fixed]


def replaced(tree: Tree, path: str, index: int, *blocks: Block) -> Tree:
    file = tree.files[path]
    return tree.with_file(path, (*file[:index], *blocks, *file[index + 1 :]))


def rewrite(how: Callable[..., str | None]) -> Edit:
    """An edit that changes the text of one block, found by trying several."""

    def change(editor: Editor, tree: Tree) -> Tree | None:
        path = editor.path(tree)
        file = tree.files[path]
        for index in editor.forge.rng.sample(range(len(file)), len(file)):
            text = None if file[index].fixed else how(editor.forge.rng, file[index].text)
            if text is not None:
                return replaced(tree, path, index, file[index].with_text(text))
        return None

    return change


EDITS += [
    (30, rewrite(surgery.change_in_body)),
    (12, rewrite(surgery.add_to_body)),
    (8, rewrite(surgery.cut_from_body)),
    (12, rewrite(surgery.change_number)),
    (10, rewrite(surgery.add_to_arm)),
    (4, rewrite(surgery.change_word)),
    (4, rewrite(surgery.add_comment)),
    (5, rewrite(surgery.add_line)),
    (4, rewrite(surgery.change_signature)),
    (2, rewrite(surgery.decorate)),
]


@edit(18)
def insert(editor: Editor, tree: Tree) -> Tree | None:
    """A new statement anywhere."""
    path = editor.path(tree)
    file = tree.files[path]
    place = editor.place(file)
    made = GRAMMAR.make(context(editor.forge, tree, path, file[:place]))
    return tree.with_file(path, (*file[:place], editor.forge.block(made), *file[place:]))


@edit(4)
def broken(editor: Editor, tree: Tree) -> Tree | None:
    """Text that does not compile."""
    path = editor.path(tree)
    movable = editor.movable(tree.files[path])
    if not movable:
        return None
    index = editor.forge.rng.choice(movable)
    block = tree.files[path][index]
    text = surgery.break_syntax(editor.forge.rng, block.text, path == ENTRY)
    return replaced(tree, path, index, block.with_text(text))


@edit(9)
def remove(editor: Editor, tree: Tree) -> Tree | None:
    path = editor.path(tree)
    movable = editor.movable(tree.files[path])
    return replaced(tree, path, editor.forge.rng.choice(movable)) if movable else None


@edit(3)
def swap(editor: Editor, tree: Tree) -> Tree | None:
    """Two statements change places."""
    path = editor.path(tree)
    file = list(tree.files[path])
    movable = editor.movable(tree.files[path])
    if len(movable) < 2:
        return None
    one, two = editor.forge.rng.sample(movable, 2)
    file[one], file[two] = file[two], file[one]
    return tree.with_file(path, file)


@edit(2)
def copy_across(editor: Editor, tree: Tree) -> Tree | None:
    """A statement moves to another file."""
    path = editor.path(tree)
    movable = editor.movable(tree.files[path])
    other = editor.forge.rng.choice(tree.modules())
    if not movable or other == path:
        return None
    index = editor.forge.rng.choice(movable)
    block = tree.files[path][index]
    target = tree.files[other]
    place = editor.place(target)
    moved = tree.with_file(other, (*target[:place], block, *target[place:]))
    return replaced(moved, path, index)


@edit(5)
def change_data(editor: Editor, tree: Tree) -> Tree | None:
    if not tree.data():
        return None
    path = editor.forge.rng.choice(tree.data())
    return tree.with_file(path, (editor.forge.block((data(editor.forge, path), ())),))


@edit(3)
def data_comes_and_goes(editor: Editor, tree: Tree) -> Tree | None:
    path = editor.forge.rng.choice(["data/opt.json", "data/opt.txt", "data/new.txt", "data/a.txt"])
    if path in tree.files:
        return tree.without(path)
    return tree.with_file(path, (editor.forge.block((data(editor.forge, path), ())),))


@edit(5)
def optional_module(editor: Editor, tree: Tree) -> Tree | None:
    """A module that was looked up and absent comes, or goes again."""
    path = editor.forge.rng.choice(ABSENT)
    if path in tree.files:
        return tree.without(path)
    value = editor.forge.block(
        (f"VALUE = {editor.forge.rng.randrange(100)}\n", (("int", "VALUE"),))
    )
    return tree.with_file(path, (value, *content(editor.forge, tree, path, 1)))


@edit(4)
def shadow(editor: Editor, tree: Tree) -> Tree | None:
    """A file that would now be found before the one that was."""
    tops = [p.removesuffix(".py") for p in tree.modules() if p.startswith("o_") and "/" not in p]
    packages = tuple(f"{name}/__init__.py" for name in tops)
    path = editor.forge.rng.choice((*SHADOWS, *packages))
    if path in tree.files:
        return tree.without(path)
    value = editor.forge.block(
        (f"VALUE = {editor.forge.rng.randrange(100)}\n", (("int", "VALUE"),))
    )
    return tree.with_file(path, (value,))


@edit(3)
def new_module(editor: Editor, tree: Tree) -> Tree | None:
    """A module is written, and something imports it."""
    folder = editor.forge.rng.choice(["", "", "o_pkg/", "o_plug/", "o_space/"])
    path = f"{folder}{editor.forge.fresh('o_n')}.py"
    grown = tree.with_file(path, content(editor.forge, tree, path, 3))
    importer = editor.path(tree)
    file = grown.files[importer]
    place = editor.place(file)
    block = editor.forge.block((f"import {dotted(path)}\n", ()))
    return grown.with_file(importer, (*file[:place], block, *file[place:]))


@edit(2)
def delete_module(editor: Editor, tree: Tree) -> Tree | None:
    own = [p for p in tree.modules() if p != ENTRY]
    return tree.without(editor.forge.rng.choice(own)) if own else None


@edit(2)
def rename_module(editor: Editor, tree: Tree) -> Tree | None:
    """A module gets another name; those who import it are told, or not."""
    own = [p for p in tree.modules() if "/" not in p and p != ENTRY]
    if not own:
        return None
    old = editor.forge.rng.choice(own)
    new = f"{editor.forge.fresh('o_r')}.py"
    renamed = tree.with_file(new, tree.files[old]).without(old)
    if editor.forge.chance(0.3):
        return renamed
    told = {p: tuple(tell(b, old, new) for b in file) for p, file in renamed.files.items()}
    return Tree(told)


def tell(block: Block, old: str, new: str) -> Block:
    return block.with_text(block.text.replace(old.removesuffix(".py"), new.removesuffix(".py")))


@edit(6)
def several(editor: Editor, tree: Tree) -> Tree | None:
    """Several edits saved at once, in several files."""
    for _ in range(editor.forge.rng.randrange(2, 5)):
        editor.hot = editor.forge.rng.choice(tree.modules())
        tree = editor.change(tree)
    return tree


@edit(1)
def whole_file(editor: Editor, tree: Tree) -> Tree | None:
    """A file written anew."""
    path = editor.path(tree)
    if path == ENTRY:
        return None
    return tree.with_file(path, content(editor.forge, tree, path, 4))
