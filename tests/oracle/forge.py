"""What the grammar's fragments are made with: chance, fresh names, and what is in scope."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .tree import Block, Definition

Made = tuple[str, tuple[Definition, ...]]
"""The text of a fragment and what it defines."""


@dataclass
class Forge:
    """The one source of chance and of names for a whole session."""

    rng: random.Random
    count: int = 0

    def fresh(self, prefix: str) -> str:
        """A name no other fragment uses."""
        self.count += 1
        return f"{prefix}{self.count}"

    def block(self, made: Made, fixed: bool = False) -> Block:
        self.count += 1
        return Block(self.count, made[0], made[1], fixed)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


@dataclass
class Context:
    """Where a fragment is to stand: its module, what is defined above, what may be imported."""

    forge: Forge
    path: str
    scope: Sequence[Definition] = ()
    exports: Mapping[str, Sequence[Definition]] = field(default_factory=dict)
    data: Sequence[str] = ()

    @property
    def rng(self) -> random.Random:
        return self.forge.rng

    def fresh(self, prefix: str) -> str:
        return self.forge.fresh(prefix)

    def number(self) -> int:
        return self.rng.randrange(2, 100)

    def names(self, kind: str) -> list[str]:
        return [name for k, name in self.scope if k == kind]

    def pick(self, kind: str) -> str | None:
        """The name of something of this kind, or None."""
        found = self.names(kind)
        return self.rng.choice(found) if found else None

    def modules(self) -> list[tuple[str, str]]:
        """Imported own modules: local name and dotted name."""
        return [(name, kind[7:]) for kind, name in self.scope if kind.startswith("module:")]

    def integer(self) -> str:
        """An expression that gives an int, made of what is in scope."""
        options = [str(self.number()), *self.local_integers(), *self.foreign_integers()]
        first = self.rng.choice(options)
        if self.rng.random() < 0.4:
            return f"{first} {self.rng.choice('+-*')} {self.number()}"
        return first

    def local_integers(self) -> list[str]:
        calls = [f"{name}()" for name in self.names("func")[-4:]]
        made = [f"{name}().value" for name in self.names("class")[-2:]]
        sizes = [f"len({name})" for name in self.names("list")[-2:]]
        return self.names("int")[-6:] + calls + made + sizes

    def foreign_integers(self) -> list[str]:
        found = []
        for local, name in self.modules()[-4:]:
            for kind, export in self.exports.get(name, ()):
                if kind in ("int", "func"):
                    found.append(f"{local}.{export}{'()' if kind == 'func' else ''}")
        return found[-5:]


Fragment = Callable[[Context], "Made | None"]


@dataclass
class Grammar:
    """Fragments with weights. A fragment that does not fit its context gives None."""

    fragments: list[tuple[int, Fragment]] = field(default_factory=list)

    def add(self, weight: int) -> Callable[[Fragment], Fragment]:
        def register(fragment: Fragment) -> Fragment:
            self.fragments.append((weight, fragment))
            return fragment

        return register

    def make(self, context: Context) -> Made:
        """One random fragment that fits."""
        weights = [weight for weight, _ in self.fragments]
        while True:
            (chosen,) = context.rng.choices(self.fragments, weights)
            made = chosen[1](context)
            if made is not None:
                return made


GRAMMAR = Grammar()
fragment = GRAMMAR.add
