# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Classes: plain, inheriting, dataclasses, enums, properties, metaclasses, slots."""

from __future__ import annotations

from ..forge import Context, Made, fragment
from .functions import body


@fragment(7)
def plain(c: Context) -> Made:
    name = c.fresh("C")
    text = (
        f"class {name}:\n    kind = {c.integer()}\n\n    def __init__(self):\n        self.value = {c.number()}\n\n"
        f"    def get(self):\n{body(c, '        ')}\n\n"
    )
    return text, (("class", name),)


@fragment(5)
def inheriting(c: Context) -> Made | None:
    base, name = c.pick("class"), c.fresh("C")
    if base is None:
        return None
    text = (
        f"class {name}({base}):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.value += {c.number()}\n\n    @property\n    def twice(self):\n"
        f"        return self.value * {c.number()}\n\n"
    )
    return text, (("class", name),)


@fragment(5)
def used(c: Context) -> Made | None:
    base, name = c.pick("class"), c.fresh("call_")
    if base is None:
        return None
    text = f"def {name}():\n    made = {base}()\n    return [made.value, getattr(made, 'get', int)(), {c.number()}]\n"
    return text, ()


@fragment(3)
def kept(c: Context) -> Made | None:
    base = c.pick("class")
    if base is None:
        return None
    name = c.fresh("obj")
    return f"{name} = {base}()\n{name}.more = {c.integer()}\n", ()


@fragment(3)
def data(c: Context) -> Made:
    name = c.fresh("D")
    text = (
        f"import dataclasses\n\n\n@dataclasses.dataclass(order=True)\nclass {name}:\n    value: int = {c.integer()}\n"
        f"    items: list = dataclasses.field(default_factory=lambda: [{c.number()}])\n\n"
        f"    def total(self):\n        return self.value + len(self.items) + {c.number()}\n\n"
    )
    return text, (("class", name),)


@fragment(2)
def enumerated(c: Context) -> Made:
    name = c.fresh("E")
    text = (
        f"import enum\n\n\nclass {name}(enum.Enum):\n    A = {c.number()}\n    B = 'b{c.number()}'\n\n"
        f"    def label(self):\n        return f'{{self.name}}-{c.number()}'\n\n"
    )
    return text + f"def call_{name}():\n    return [m.label() for m in {name}]\n", ()


@fragment(3)
def methods(c: Context) -> Made:
    name = c.fresh("C")
    text = (
        f"class {name}:\n    value = {c.number()}\n\n    @staticmethod\n    def s():\n{body(c, '        ')}\n"
        f"    @classmethod\n    def c(cls):\n        return cls.value + {c.number()}\n\n"
        f"    class Inner:\n        def deep(self):\n            return {c.number()}\n\n"
        f"def call_{name}():\n    return [{name}.s(), {name}.c(), {name}.Inner().deep()]\n"
    )
    return text, (("class", name),)


@fragment(2)
def registering(c: Context) -> Made:
    name = c.fresh("Base")
    text = (
        f"class {name}:\n    value = {c.number()}\n    children = []\n\n    def __init_subclass__(cls, **k):\n"
        f"        super().__init_subclass__(**k)\n        {name}.children.append(cls.__name__)\n\n"
    )
    return text, (("class", name),)


@fragment(1)
def metaclassed(c: Context) -> Made:
    meta, name = c.fresh("Meta"), c.fresh("C")
    text = (
        f"class {meta}(type):\n    def __new__(m, name, bases, space):\n        space['value'] = len(space) + {c.number()}\n"
        f"        return super().__new__(m, name, bases, space)\n\n\nclass {name}(metaclass={meta}):\n"
        f"    def get(self):\n        return {c.number()}\n\n"
    )
    return text, (("class", name),)


@fragment(1)
def slotted(c: Context) -> Made:
    name = c.fresh("S")
    text = f"class {name}:\n    __slots__ = ('value',)\n\n    def __init__(self, v={c.number()}):\n        self.value = v\n\n"
    return text, (("class", name),)


@fragment(1)
def abstract(c: Context) -> Made:
    name = c.fresh("C")
    text = (
        f"import abc\n\n\nclass {name}Base(abc.ABC):\n    @abc.abstractmethod\n    def get(self): ...\n\n\n"
        f"class {name}({name}Base):\n    value = {c.number()}\n\n    def get(self):\n        return self.value + {c.number()}\n\n"
    )
    return text, (("class", name),)


@fragment(1)
def lazy_property(c: Context) -> Made:
    name = c.fresh("C")
    text = (
        f"import functools\n\n\nclass {name}:\n    @functools.cached_property\n    def value(self):\n{body(c, '        ')}\n"
        f"call_{name} = functools.partial(getattr, {name}(), 'value')\n"
    )
    return text, (("class", name),)


@fragment(1)
def bound(c: Context) -> Made | None:
    base = c.pick("class")
    if base is None:
        return None
    name = c.fresh("call_")
    return (
        f"{name} = {base}().__repr__ if not hasattr({base}, 'get') else {base}().get\nlater_{name} = {name}\ndel {name}\n",
        (),
    )


@fragment(1)
def patched(c: Context) -> Made | None:
    base = c.pick("class")
    if base is None:
        return None
    return f"{base}.get = lambda self: {c.number()}\n", ()


@fragment(1)
def annotated_class(c: Context) -> Made:
    name = c.fresh("C")
    return (
        f"class {name}:\n    a: int\n    b: 'str' = 'b{c.number()}'\n    value = len(__annotations__)\n",
        (("class", name),),
    )
