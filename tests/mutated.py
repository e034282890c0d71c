"""Mutants of a module's text, and how one gets into functions that live already.

The changes are cosmic-ray's. Left out are those that say nothing about tests: in annotations and unions of types, in what
only the type checker reads, and operators of another family (a bit operation on fractions always fails, `+x` for `-x` is
the same as `x`), which every suite would kill.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator, Mapping, Sequence
from functools import _lru_cache_wrapper, cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

FAMILIES = (
    {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"},
    {"BitOr", "BitAnd", "BitXor"},
    {"LShift", "RShift"},
    {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"},
    {"Is", "IsNot"},
)
Span = tuple[tuple[int, int], tuple[int, int]]
Place = tuple[str, int]  # of a function: its qualified name and first line


class Mutant(NamedTuple):
    """The `occurrence`-th place in a file where an operator of cosmic-ray changes something, and where that is."""

    file: str
    operator: str
    occurrence: int
    line: int
    column: int


@cache
def operators() -> dict[str, Any]:
    """cosmic-ray's operators by name, those of one family only."""
    from cosmic_ray.operators.provider import OperatorProvider

    every = OperatorProvider()
    return {name: every[name] for name in every if _telling(name)}


def _telling(name: str) -> bool:
    if name in ("VariableReplacer", "VariableInserter"):
        return False  # they change by chance
    kind, _, change = name.partition("Operator_")
    if not change:
        return True
    before, after = change.split("_")
    return before == "Delete" if kind == "ReplaceUnary" else any({before, after} <= family for family in FAMILIES)


def mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    from cosmic_ray.ast import ast_nodes, get_ast

    nodes = list(ast_nodes(get_ast(text)))
    silent = spans(text)
    found = []
    for name, operator in operators().items():
        made = operator()
        places = (place for node in nodes for place in made.mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(first <= start < last for first, last in silent):
                found.append(Mutant(file, name, occurrence, *start))
    return sorted(found, key=lambda one: (one.line, one.column, one.operator, one.occurrence))


def mutated(mutant: Mutant, text: str) -> str:
    """The module's text with this mutant in it."""
    from cosmic_ray.ast import Visitor, get_ast

    operator = operators()[mutant.operator]()

    class Once(Visitor):
        seen = 0

        def visit(self, node: Any) -> Any:
            for index, _ in enumerate(list(operator.mutation_positions(node))):
                if self.seen == mutant.occurrence:
                    node = operator.mutate(node, index)
                self.seen += 1
            return node

    changed: str = Once().walk(get_ast(text)).get_code()
    return changed.replace("CosmicRayTestingException", "ZeroDivisionError")  # a name that modules know


def spans(text: str) -> list[Span]:
    """What says nothing about behaviour, as (line, column) from and to, columns counted in letters."""
    lines = text.splitlines()

    def at(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())

    nodes = [one for node in ast.walk(ast.parse(text)) for one in _silent(node)]
    return [(at(one.lineno, one.col_offset), at(one.end_lineno, one.end_col_offset)) for one in nodes]


def _silent(node: ast.AST) -> Iterator[Any]:
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation
    elif isinstance(node, ast.FunctionDef):
        yield from [node.returns] if node.returns else []
        if any("overload" in ast.unparse(one) for one in node.decorator_list):
            yield node
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
        yield node.args[1]
    elif isinstance(node, ast.Assign) and _types(node.value):
        yield node.value


def _types(node: ast.AST) -> bool:
    """Whether this is a union of types, as an alias is."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return any(
            (isinstance(one, ast.Name | ast.Constant) and _named(one)) or _types(one) for one in (node.left, node.right)
        )
    return False


def _named(node: ast.Name | ast.Constant) -> bool:
    return node.value is None if isinstance(node, ast.Constant) else node.id in ("int", "float", "str", "bool")


def changes(before: CodeType, after: CodeType) -> tuple[list[tuple[CodeType, CodeType]], bool]:
    """The functions whose code differs, each with its new one, and whether anything outside of functions does."""
    functions: list[tuple[CodeType, CodeType]] = []
    outside = _own(before) != _own(after)
    for old, new in zip(_inner(before), _inner(after), strict=False):
        more, within = changes(old, new)
        if old.co_flags & 0x2 and (more or within):  # CO_NEWLOCALS: a function, not the body of a class
            functions.append((old, new))
            within = False
        functions += more
        outside |= within
    return functions, outside


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _own(code: CodeType) -> tuple[Any, ...]:
    consts = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable, consts


def living(files: Sequence[str]) -> dict[str, dict[Place, list[FunctionType]]]:
    """Every function there is that was made from one of these files, however it is wrapped or cached."""
    found: dict[str, dict[Place, list[FunctionType]]] = {file: {} for file in files}
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename in found:
            code = one.__code__
            found[code.co_filename].setdefault((code.co_qualname, code.co_firstlineno), []).append(one)
    return found


def put(functions: Sequence[tuple[CodeType, CodeType]], lives: Mapping[Place, list[FunctionType]]) -> bool:
    """Give living functions their new code. False where one cannot be reached: then the module is to be run anew."""
    reached = False
    for old, new in functions:
        for one in lives.get((old.co_qualname, old.co_firstlineno), []):
            if len(new.co_freevars) != len(one.__code__.co_freevars):
                return False
            one.__code__ = new
            reached = True
    return reached


def whole(code: CodeType) -> list[tuple[CodeType, CodeType]]:
    """Every function of a module as if it had changed into itself."""
    return [pair for one in _inner(code) for pair in [*([(one, one)] if one.co_flags & 0x2 else []), *whole(one)]]


def forget(package: str) -> None:
    """Empty the caches of a package's functions: what is kept from before would hide what a mutant does."""
    for one in gc.get_objects():
        if isinstance(one, _lru_cache_wrapper) and str(one.__module__).partition(".")[0] == package:
            one.cache_clear()
