"""Random programs: an entry script, modules that import each other, packages, data."""

from __future__ import annotations

import json

from .forge import Context, Forge, Made
from .grammar import GRAMMAR
from .tree import Block, Definition, File, Tree, dotted

ENTRY = "entry.py"
TOP = ("o_a.py", "o_b.py", "o_c.py", "o_d.py", "o_e.py")
PACKAGED = ("o_pkg/__init__.py", "o_pkg/one.py", "o_pkg/two.py")
PLUGINS = ("o_plug/__init__.py", "o_plug/first.py", "o_plug/second.py")
NAMESPACE = ("o_space/thing.py",)


def program(forge: Forge) -> Tree:
    """A whole random program. Modules are written leaf first, so that most imports work."""
    tree = Tree()
    for path in layout(forge):
        tree = tree.with_file(path, content(forge, tree, path, forge.rng.randrange(0, 8)))
    for name in ("data/a.txt", "data/b.json", "data/c.txt"):
        tree = tree.with_file(name, (forge.block((data(forge, name), ())),))
    tree = with_cycle(forge, tree)
    return tree.with_file(ENTRY, entry(forge, tree))


def layout(forge: Forge) -> list[str]:
    """Which modules there are, leaves first."""
    paths = list(TOP[: forge.rng.randrange(1, 6)])
    for share, more in ((0.4, PACKAGED), (0.2, PLUGINS), (0.1, NAMESPACE)):
        if forge.chance(share):
            place = forge.rng.randrange(len(paths) + 1)
            paths[place:place] = more
    return paths


def data(forge: Forge, path: str) -> str:
    """The text of a data file."""
    number = forge.rng.randrange(100)
    if path.endswith(".json"):
        return json.dumps({"k": number, "l": [number, 1]}) + "\n"
    width = 6000 if path == "data/c.txt" else 0  # more than the buffer of an open file
    return "".join(f"line {i} {number}{'.' * width}\n" for i in range(4))


def content(forge: Forge, tree: Tree, path: str, size: int) -> File:
    """Blocks of one module; imports tend to come first."""
    blocks: list[Block] = []
    if forge.chance(0.2):
        blocks.append(forge.block(head(forge)))
    for _ in range(size):
        made = GRAMMAR.make(context(forge, tree, path, tuple(blocks)))
        blocks.append(forge.block(made))
    return tuple(blocks)


def head(forge: Forge) -> Made:
    """What may only stand at the top of a module."""
    number = forge.rng.randrange(100)
    docstring = f'"""Module text {number}."""\n'
    future = "from __future__ import annotations\n"
    return forge.rng.choice([docstring, future, docstring + future]), ()


def context(forge: Forge, tree: Tree, path: str, above: File) -> Context:
    """The scope at the end of ``above`` in ``path``."""
    scope = [d for block in above for d in block.defines]
    return Context(forge, path, scope, exports(tree), tree.data())


def exports(tree: Tree) -> dict[str, list[Definition]]:
    """What each module defines at its top level, by dotted name."""
    return {
        dotted(path): [d for block in tree.files[path] for d in block.defines]
        for path in tree.modules()
    }


def with_cycle(forge: Forge, tree: Tree) -> Tree:
    """Sometimes a leaf imports a module that imports it."""
    tops = [p for p in tree.modules() if "/" not in p]
    if len(tops) < 2 or not forge.chance(0.3):
        return tree
    leaf, later = tops[0], forge.rng.choice(tops[1:])
    name = dotted(later)
    place = forge.rng.randrange(len(tree.files[leaf]) + 1)
    blocks = list(tree.files[leaf])
    blocks.insert(place, forge.block((f"import {name}\n", ((f"module:{name}", name),))))
    return tree.with_file(leaf, blocks)


def entry(forge: Forge, tree: Tree) -> File:
    """The script: imports most of the modules, does things, and gives its account."""
    early = forge.chance(0.5)
    first = [forge.block(("import oracle_digest\noracle_digest.at_exit()\n", ()), fixed=True)]
    blocks = first if early else []
    for path in tree.modules():
        if forge.chance(0.75):
            blocks.append(forge.block(imported(forge, tree, path)))
        if forge.chance(0.4):
            blocks.append(forge.block(GRAMMAR.make(context(forge, tree, ENTRY, tuple(blocks)))))
    for _ in range(forge.rng.randrange(0, 7)):
        blocks.append(forge.block(GRAMMAR.make(context(forge, tree, ENTRY, tuple(blocks)))))
    last = ending(forge, early)
    return (*blocks, *([forge.block((last, ()), fixed=True)] if last else []))


def imported(forge: Forge, tree: Tree, path: str) -> Made:
    name = dotted(path)
    local = forge.fresh("m")
    found = [d for d in exports(tree)[name] if d[0] in ("int", "func", "class", "list")]
    if found and forge.chance(0.3):
        kind, chosen = forge.rng.choice(found)
        return f"from {name} import {chosen}\n", ((kind, chosen),)
    return f"import {name} as {local}\n", ((f"module:{name}", local),)


def ending(forge: Forge, early: bool) -> str:
    """The last lines of the entry script: how the account is made."""
    if early:
        return ""
    how = forge.rng.choices(["serve()", "show()", "serve(forever=True)"], [60, 25, 15])[0]
    call = f"import oracle_digest\noracle_digest.{how}\n"
    if forge.chance(0.3):
        lines = "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()\ndel t\n"
        call = lines + call
    if forge.chance(0.3):
        indented = "".join(f"    {line}\n" for line in call.splitlines())
        return f"def main():\n{indented}\n\nif __name__ == '__main__':\n    main()\n"
    return call
