"""Small changes to a source text, one at a time, each of which some test must notice."""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Div,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
FUNCTIONS = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min"}
# Calls in which two arguments may be taken for each other.
SWAPPED = {"where": (1, 2), "average": (0, 1), "clip": (1, 2)}
# What is no part of a rule: a catalogue entry's description, how Python zips, annotations and error messages.
ARGUMENTS = {"space", "wide", "paper", "strict"}
ANNOTATIONS = {"annotation", "returns"}
SHORT, LONG = 24, 80  # characters of the fragment by which a change is known

Put = Callable[[ast.AST], None]


class Key(NamedTuple):
    """What a change is known by as long as the lines around it stay: no line number is.

    Attributes:
      file: relative to the checkout.
      old: the expression around what is changed.
      new: the same expression after it.
      occurrence: 0, or how many times the same change comes before it in the file.
    """

    file: str
    old: str
    new: str
    occurrence: int = 0


@dataclass(frozen=True)
class Mutant:
    """A change, and the whole file with it."""

    key: Key
    source: str


def mutants(file: str, source: str, functions: frozenset[str] | None = None) -> Iterator[Mutant]:
    """All changes to the functions of a file, of those named where some are, in the order of the source."""
    tree = ast.parse(source)
    seen: Counter[tuple[str, str]] = Counter()
    for statement in tree.body:
        if functions is not None and getattr(statement, "name", None) not in functions:
            continue
        for node, put, around in _places(statement, lambda _: None, []):
            context = _context(node, around)
            old = ast.unparse(context)
            for other in _changes(node, around[-1]):
                put(other)
                new = ast.unparse(other if context is node else context)
                whole = ast.unparse(tree)
                put(node)
                if new != old:
                    yield Mutant(Key(file, old, new, seen[old, new]), whole)
                    seen[old, new] += 1


def _context(node: ast.expr, around: list[ast.AST]) -> ast.expr:
    """The smallest expression around a node that says where it stands."""
    found = node
    for outer in reversed(around):
        if isinstance(outer, ast.keyword):
            continue
        if not isinstance(outer, ast.expr) or len(ast.unparse(found)) >= SHORT or len(ast.unparse(outer)) > LONG:
            break
        found = outer
    return found


def _places(node: ast.AST, put: Put, around: list[ast.AST]) -> Iterator[tuple[ast.expr, Put, list[ast.AST]]]:
    """Every expression that may change, with how to put another in its place and what it stands in."""
    if isinstance(node, ast.ClassDef | ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.expr):
        yield node, put, around
    for name, value in ast.iter_fields(node):
        if name in ANNOTATIONS:
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not (isinstance(child, ast.keyword) and child.arg in ARGUMENTS):
                yield from _places(child, _setter(node, name, at), [*around, node])


def _setter(node: ast.AST, name: str, at: int) -> Put:
    def put(child: ast.AST) -> None:
        if isinstance(value := getattr(node, name), list):
            value[at] = child
        else:
            setattr(node, name, child)

    return put


def _changes(node: ast.expr, parent: ast.AST) -> Iterator[ast.expr]:
    if node is getattr(parent, "test", None) and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield ast.UnaryOp(ast.Not(), node)
    if isinstance(parent, ast.Assign | ast.Return | ast.Lambda) and _is_number(node, parent):
        yield ast.UnaryOp(ast.USub(), node)
    if isinstance(node, ast.Constant):
        yield from map(ast.Constant, _other_constants(node.value))
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        for operator in OPERATORS.get(type(node.op), ()):
            yield _with(node, op=operator())
    elif isinstance(node, ast.Compare):
        for operator in OPERATORS[type(node.ops[0])]:
            yield _with(node, ops=[operator(), *node.ops[1:]])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node.operand
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)


def _is_number(node: ast.expr, parent: ast.AST) -> bool:
    """Whether it may be one other than 0, or an array: a sum or product, or all that a lambda of numbers gives."""
    named = isinstance(node, ast.Call | ast.Name) and "zeros" not in ast.unparse(node)
    return isinstance(node, ast.BinOp) or (isinstance(parent, ast.Lambda) and named)


def _other_constants(value: object) -> Iterator[bool | int | float]:
    """One more; the double of what is no whole number; the opposite."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1 if value == int(value) else 2 * value


def _other_calls(node: ast.Call) -> Iterator[ast.expr]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if (other := FUNCTIONS.get(name)) is not None:
        yield _with(node, func=_with(function, **{"attr" if isinstance(function, ast.Attribute) else "id": other}))
    if name in SWAPPED and len(node.args) > max(SWAPPED[name]):
        arguments, (i, j) = list(node.args), SWAPPED[name]
        arguments[i], arguments[j] = arguments[j], arguments[i]
        yield _with(node, args=arguments)


def _with(node: ast.expr, **fields: object) -> ast.expr:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
