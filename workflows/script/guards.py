"""PURE. Conditions on slots: a small, safe part of Python's expressions, parsed once when a script is loaded.

`is_homeowner and monthly_bill_usd >= 60`, `roof_type in ["tile", "metal"]`, `filled(email)`, `not wants_battery`.
A comparison with a slot that has no value is false; so is the bare name of one.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Value = bool | int | float | str

_COMPARE: dict[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    # Only numbers reach the four below.
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_WORDS = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A parsed condition. Make it with `parse_guard`."""

    source: str
    slots: frozenset[str]
    """Every slot that it reads."""

    def holds(self, slots: Mapping[str, Value]) -> bool:
        """Whether it is true of these slot values."""
        return _holds(_tree(self.source), slots)


def parse_guard(text: str) -> Guard:
    """Parse a condition. Raises ValueError saying what is not allowed in it."""
    source = " ".join(str(text).split())
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"not a condition: {error.msg}") from None
    names: set[str] = set()
    _check(tree.body, names)
    return Guard(source=source, slots=frozenset(names))


@lru_cache(maxsize=1024)
def _tree(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def _check(node: ast.expr, names: set[str]) -> None:
    match node:
        case ast.BoolOp(values=values):
            for part in values:
                _check(part, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, names)
        case ast.Call(func=ast.Name(id="filled"), args=[ast.Name(id=name)], keywords=[]):
            names.add(name)
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In() | ast.NotIn()], comparators=[right]):
            names.add(name)
            if not isinstance(right, ast.List | ast.Tuple):
                raise ValueError("`in` needs a list: roof_type in [tile, metal]")
            for item in right.elts:
                _constant(item)
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]) if (
            type(op) in _COMPARE
        ):
            names.add(name)
            value = _constant(right)
            if isinstance(op, _ORDERED) and isinstance(value, str | bool):
                raise ValueError("<, <=, > and >= compare with a number")
        case ast.Name(id=name):
            names.add(name)
        case _:
            raise ValueError(
                f"`{ast.unparse(node)}` is not allowed: use and, or, not, comparisons with a value, "
                "`in [..]` and filled(slot)"
            )


def _constant(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name):
            return _WORDS.get(name, name)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case _:
            raise ValueError(f"`{ast.unparse(node)}` is not a value")


def _holds(node: ast.expr, slots: Mapping[str, Value]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(value, slots) for value in values)
        case ast.BoolOp(values=values):
            return any(_holds(value, slots) for value in values)
        case ast.UnaryOp(operand=operand):
            return not _holds(operand, slots)
        case ast.Call(args=[ast.Name(id=name)]):
            return name in slots
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]):
            return name in slots and _compare(slots[name], op, right)
        case ast.Name(id=name):
            return bool(slots.get(name, False))
        case _:
            raise AssertionError("parse_guard lets nothing else through")


def _compare(value: Value, op: ast.cmpop, right: ast.expr) -> bool:
    if isinstance(right, ast.List | ast.Tuple):
        found = value in [_constant(item) for item in right.elts]
        return found == isinstance(op, ast.In)
    wanted = _constant(right)
    if isinstance(op, _ORDERED) and (isinstance(value, str) or isinstance(wanted, str)):
        return False
    return _COMPARE[type(op)](value, wanted)
