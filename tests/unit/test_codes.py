"""The numbers that refork.core.codes takes from CPython, compared with the running one."""

from __future__ import annotations

import dis
import sys

import pytest

from refork.core import codes

V = sys.version_info[:2]
known = pytest.mark.skipif(V > (3, 13), reason="from here on the differ does without")


def test_load_const() -> None:
    assert V > (3, 13) or dis.opmap["LOAD_CONST"] == codes.LOAD_CONST


@pytest.mark.skipif(V != (3, 13), reason="only class bodies of 3.13 are decoded")
def test_operations_of_class_bodies() -> None:
    for name in ("RETURN_CONST", "EXTENDED_ARG", "STORE_NAME", "LOAD_NAME"):
        assert getattr(codes, name) == dis.opmap[name]
    constants = {dis.opname[op] for op in dis.hasconst if op < 236}
    assert constants == {"LOAD_CONST", "RETURN_CONST"}


@known
def test_operations_with_names() -> None:
    plain = {op for op in dis.hasname if op < 236 and "SUPER" not in dis.opname[op]}
    assert plain - {dis.opmap.get("LOAD_FROM_DICT_OR_GLOBALS")} <= set(codes.NAME_OPS)
    assert set(codes.NAME_OPS) <= set(dis.hasname) | {160}


@pytest.mark.skipif(V < (3, 12), reason="type parameters came with Python 3.12")
@known
def test_units_that_make_lazy_values() -> None:
    source = "type X = int\ndef f[T: int](): pass\ndef g[T: (int, str)](): pass\n"
    if V >= (3, 13):
        source += "def h[T = int](): pass\n"
    module = compile(source, "sample.py", "exec")
    found = set()
    for code in (module, *(const for const in module.co_consts if type(const) is codes.CODE)):
        found |= {unit for unit in codes.raw_units(code) if unit in codes.LAZY_UNITS[V]}
    assert found == set(codes.LAZY_UNITS[V])


def test_units_put_arguments_together() -> None:
    if V != (3, 13):
        pytest.skip("only class bodies of 3.13 are decoded")
    source = "class A:\n" + "".join(f"    a{n} = {n + 1000}\n" for n in range(300))
    code = next(c for c in compile(source, "s", "exec").co_consts if type(c) is codes.CODE)
    expected = [(i.opcode, i.arg or 0) for i in dis.get_instructions(code)]
    found = [unit for unit in codes.units(code) if unit[0] != dis.opmap["EXTENDED_ARG"]]
    assert found == [unit for unit in expected if unit[0] != dis.opmap["EXTENDED_ARG"]]
