"""What was done to a registry while modules were imported ahead: taken back, and done again in its place.

That is possible for keys of a dict and for attributes, new ones or other values, for items at the end of a
list, and for members of a set. Whatever else changed has no place but its own.
"""

from __future__ import annotations

import sys

from refork.program.grafts.living import identity, namespace
from refork.program.twins.effects import LAZY, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from refork.program.twins.effects import Content

ABSENT = object()
"""What a key held before that was not there."""


def held_by(thing: Any) -> list[tuple[Any, Any]]:
    """The keys and values of a dict, or the attributes of a class; nothing for others."""
    if issubclass(type(thing), dict):
        return list(dict.items(thing))
    if issubclass(type(thing), type):
        return [pair for pair in namespace(thing).items() if pair[0] not in LAZY]
    return []


def changes(thing: Any, before: Content, held: list[tuple[Any, Any]]) -> list[Any] | None:
    """What was done to a registry that had the content `before`, and the pairs `held`.

    Items that were added to a list or a set; of a dict or a class (key, value, former value), by keys that
    stand where they stood, and new ones. None where something else happened to it.
    """
    if issubclass(type(thing), list):
        items = list(list.__iter__(thing))
        count = len(before)
        return items[count:] if tuple(map(identity, items[:count])) == before else None
    if issubclass(type(thing), set):
        known = set(before)
        members = [one for one in set.__iter__(thing) if identity(one) not in known]
        return members if len(members) + len(before) == len(thing) else None
    if not issubclass(type(thing), (dict, type)):
        return None
    found = _changed_pairs(held_by(thing), held)
    if issubclass(type(thing), type):
        return None if any(str(key).startswith("__") for key, *_ in found or ()) else found
    same = rest(thing) == before[2 * len(held) :] if type(thing) is not dict else True
    return found if same else None


def _changed_pairs(
    now: list[tuple[Any, Any]], before: list[tuple[Any, Any]]
) -> list[tuple[Any, Any, Any]] | None:
    """(key, value, former value) of what differs; None where a key is gone, or at another place."""
    if len(now) < len(before):
        return None
    found = []
    for (key, value), (old, former) in zip(now, before, strict=False):
        if key is not old:
            return None
        if value is not former:
            found.append((key, value, former))
    return found + [(key, value, ABSENT) for key, value in now[len(before) :]]


def take_back(thing: Any, items: list[Any]) -> None:
    """Undo what was done last."""
    if issubclass(type(thing), list):
        list.__delitem__(thing, slice(len(thing) - len(items), None))
    elif issubclass(type(thing), set):
        for one in items:
            set.discard(thing, one)
    else:
        put, remove = _writers(thing)
        for key, _value, former in reversed(items):
            if former is ABSENT:
                remove(thing, key)
            else:
                put(thing, key, former)


def do_again(thing: Any, items: list[Any]) -> bool:
    """Do what was taken back; return whether it was as it had been before."""
    if issubclass(type(thing), list):
        list.extend(thing, items)
        return True
    if issubclass(type(thing), set):
        new = not any(set.__contains__(thing, one) for one in items)
        for one in items:
            set.add(thing, one)
        return new
    put, _remove = _writers(thing)
    names = namespace(thing) if issubclass(type(thing), type) else thing
    get = type(names).get
    same = all(get(names, key, ABSENT) is former for key, _value, former in items)
    for key, value, _former in items:
        put(thing, key, value)
    return same


def _writers(thing: Any) -> tuple[Any, Any]:
    """What sets and removes a key, or an attribute of a class: the interpreter's, never the user's own."""
    if issubclass(type(thing), type):
        return type.__setattr__, type.__delattr__
    ordered = getattr(sys.modules.get("collections"), "OrderedDict", dict)
    kind = ordered if issubclass(type(thing), ordered) else dict
    return kind.__setitem__, kind.__delitem__
