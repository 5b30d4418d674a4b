# SPDX-License-Identifier: AGPL-3.0-only
"""The small errors that are put into a source: what a programmer may get wrong in an exchange written in Vyper."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.build import ROOT
from tests.support.compiler import Place, parsed, statement_of

BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPPOSITES = {"==": "!=", "!=": "==", "in": "not in", "not in": "in", "and": "or", "or": "and"}
ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "//",
    "//": "*",
    "%": "//",
    "**": "*",
    "&": "|",
    "|": "&",
    "^": "&",
    "<<": ">>",
    ">>": "<<",
    "+=": "-=",
    "-=": "+=",
    "*=": "//=",
    "//=": "*=",
    "|=": "&=",
    "&=": "|=",
    "^=": "|=",
}
BUILTINS = {
    "unsafe_add": "unsafe_sub",
    "unsafe_sub": "unsafe_add",
    "unsafe_mul": "unsafe_div",
    "unsafe_div": "unsafe_mul",
    "min": "max",
    "max": "min",
    "floor": "ceil",
    "ceil": "floor",
}
TWINS = (
    ("taker", "maker"),
    ("long", "short"),
    ("buy", "sell"),
    ("bid", "ask"),
    ("initial", "maintenance"),
    ("imf", "mmf"),
    ("lower", "upper"),
    ("floor", "ceil"),
    ("up", "down"),
    ("owner", "guardian"),
    ("0", "1"),
)
ZERO = re.compile(r"(0|False|b\"\"|\"\"|empty\(.*\))", re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """`text[start:end]` of a file in bytes becomes `new`. `places` are the statements whose tests may notice."""

    file: str
    line: int
    operator: str
    function: str
    start: int
    end: int
    old: str
    new: str
    places: frozenset[Place]

    @cached_property
    def id(self) -> str:
        """The same as long as file, function and the changed text with its place in the file are."""
        text = f"{self.file}\0{self.operator}\0{self.start}\0{self.end}\0{self.new}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants_of(path: Path, root: Path = ROOT, uses: dict[str, frozenset[Place]] | None = None) -> list[Mutant]:
    """Every change of a file, in the order of the text. `uses`: see `uses_of_names`."""
    return _File(path, root, uses_of_names([path], root) if uses is None else uses).mutants()


def all_mutants(root: Path = ROOT) -> list[Mutant]:
    """Of every contract and module."""
    paths = sorted((root / "contracts").rglob("*.vy"))
    uses = uses_of_names(paths, root)
    return [mutant for path in paths for mutant in mutants_of(path, root, uses)]


def uses_of_names(paths: list[Path], root: Path = ROOT) -> dict[str, frozenset[Place]]:
    """The statements that use each constant, also by way of other constants: by name alone, so rather too many."""
    from vyper import ast  # type: ignore[import-untyped]

    direct: dict[str, set[Place]] = {}
    through: dict[str, set[str]] = {}
    for path in paths:
        tree, file = parsed(path), str(path.relative_to(root))
        for node in tree.get_descendants((ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if (statement := statement_of(node)) is not None:
                direct.setdefault(name, set()).add(Place(file, statement.lineno))
                continue
            declaration = node.get_ancestor(ast.VariableDecl)
            if declaration is not None:
                through.setdefault(name, set()).add(declaration.target.id)
    names = {name for users in through.values() for name in users} | set(through)

    def reach(name: str, seen: set[str]) -> set[Place]:
        seen.add(name)
        found = set(direct.get(name, set()))
        for user in through.get(name, set()) - seen:
            found |= reach(user, seen)
        return found

    return {name: frozenset(reach(name, set())) for name in names | set(direct)}


class _File:
    def __init__(self, path: Path, root: Path, uses: dict[str, frozenset[Place]]):
        from vyper import ast

        self.ast = ast
        self.name = str(path.relative_to(root))
        self.source = path.read_bytes()
        self.tree = parsed(path)
        self.uses = uses
        self.modules = {node.alias or node.name for node in self.tree.get_children((ast.Import, ast.ImportFrom))}
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def mutants(self) -> list[Mutant]:
        found: dict[tuple[int, int, str], Mutant] = {}
        for mutant in self._raw():
            found.setdefault((mutant.start, mutant.end, mutant.new), mutant)
        return [found[key] for key in sorted(found)]

    def _raw(self) -> Iterator[Mutant]:
        ast = self.ast
        for definition in self.tree.get_children(ast.FunctionDef):
            for node in definition.get_descendants():
                statement = statement_of(node)
                if statement is None:
                    continue
                for operator, start, end, new in self._changes(node, definition):
                    place = Place(self.name, statement.lineno)
                    yield self._mutant(operator, definition.name, start, end, new, frozenset({place}))
        for declaration in self.tree.get_children(ast.VariableDecl):
            if declaration.is_constant and declaration.value is not None:
                places = self.uses.get(declaration.target.id, frozenset())
                for node in [declaration.value, *declaration.value.get_descendants()]:
                    for operator, start, end, new in self._changes(node, None):
                        yield self._mutant(operator, declaration.target.id, start, end, new, places)

    def _mutant(self, operator: str, function: str, start: int, end: int, new: str, places: frozenset[Place]) -> Mutant:
        line = self.source.count(b"\n", 0, start) + 1
        return Mutant(self.name, line, operator, function, start, end, self._text(start, end), new, places)

    # Where things stand

    def _begin(self, node: Any) -> int:
        return int(self.starts[node.lineno - 1] + node.col_offset)

    def _end(self, node: Any) -> int:
        return int(self.starts[node.end_lineno - 1] + node.end_col_offset)

    def _text(self, start: int, end: int) -> str:
        return self.source[start:end].decode()

    def _whole(self, node: Any) -> str:
        return self._text(self._begin(node), self._end(node))

    def _between(self, left: Any, right: Any, words: dict[str, str]) -> Iterator[tuple[int, int, str]]:
        """The operator of the table that stands between two nodes, with what takes its place."""
        start, end = self._end(left), self._begin(right)
        text = re.sub(r"#[^\n]*", lambda match: " " * len(match.group()), self._text(start, end))
        bare = text.strip(" \n\\()")
        if bare in words:
            at = start + len(text[: text.index(bare)].encode())
            yield at, at + len(bare), words[bare]

    # What may go wrong

    def _changes(self, node: Any, definition: Any) -> Iterator[tuple[str, int, int, str]]:
        ast = self.ast
        begin, end = (self._begin(node), self._end(node)) if node.lineno and node.end_lineno else (0, 0)
        if isinstance(node, ast.Compare):
            yield from (("boundary", *change) for change in self._between(node.left, node.right, BOUNDARIES))
            yield from (("comparison", *change) for change in self._between(node.left, node.right, OPPOSITES))
        elif isinstance(node, ast.BoolOp):
            pairs = zip(node.values, node.values[1:], strict=False)
            yield from (("and-or", *change) for pair in pairs for change in self._between(*pair, OPPOSITES))
        elif isinstance(node, ast.BinOp):
            yield from (("arithmetic", *change) for change in self._between(node.left, node.right, ARITHMETIC))
        elif isinstance(node, ast.UnaryOp):
            yield "unary", begin, end, self._whole(node.operand)
        elif isinstance(node, ast.Int):
            value = int(self._text(begin, end).replace("_", ""), 0)
            yield "constant", begin, end, str(value + 1)
            if value > 0:
                yield "constant", begin, end, str(value - 1)
        elif isinstance(node, ast.NameConstant) and self._text(begin, end) in ("True", "False"):
            yield "constant", begin, end, str(self._text(begin, end) == "False")
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from self._swapped(node)
        elif isinstance(node, ast.If | ast.IfExp):
            test = node.test
            is_turned_already = isinstance(test, ast.Compare) and any(self._between(test.left, test.right, OPPOSITES))
            if not is_turned_already:
                yield "condition", self._begin(test), self._end(test), f"not ({self._whole(test)})"
        if definition is not None:
            yield from self._dropped(node, definition, begin, end)

    def _swapped(self, node: Any) -> Iterator[tuple[str, int, int, str]]:
        """A name for its twin. What there is not, or of another type, does not compile and is discarded."""
        ast = self.ast
        is_attribute = isinstance(node, ast.Attribute)
        name = node.attr if is_attribute else node.id
        end = self._end(node)
        start = end - len(name)
        if self._text(start, end) != name or node.get_ancestor(ast.Log) is not None:
            return
        if name in BUILTINS and not is_attribute:
            yield ("min-max" if "m" in name[:1] else "arithmetic"), start, end, BUILTINS[name]
            return
        parts = name.split("_")
        for pair in TWINS:
            for one, other in (pair, pair[::-1]):
                if one in parts:
                    new = "_".join(other if part == one else part for part in parts)
                    yield "rounding" if one in ("floor", "ceil", "up", "down") else "operand", start, end, new
                elif one.upper() in parts and not one.isdigit():
                    new = "_".join(other.upper() if part == one.upper() else part for part in parts)
                    yield "operand", start, end, new

    def _dropped(self, node: Any, definition: Any, begin: int, end: int) -> Iterator[tuple[str, int, int, str]]:
        """Statements that are not there, or answer nothing."""
        ast = self.ast
        if isinstance(node, ast.Assert | ast.Raise):
            yield "assert", begin, end, "pass"
        elif isinstance(node, ast.Log):
            yield "event", begin, end, "pass"
        elif isinstance(node, ast.Expr):
            yield ("role" if "owner" in self._whole(node) else "call"), begin, end, "pass"
        elif isinstance(node, ast.Assign | ast.AugAssign):
            yield ("write" if self._is_state(node.target) else "assignment"), begin, end, "pass"
            if isinstance(node, ast.AugAssign):
                yield from (("arithmetic", *change) for change in self._between(node.target, node.value, ARITHMETIC))
        elif isinstance(node, ast.Continue | ast.Break):
            yield "loop", begin, end, "break" if isinstance(node, ast.Continue) else "continue"
        elif isinstance(node, ast.Return) and node.value is not None and definition.returns is not None:
            value, kind = node.value, definition.returns
            kinds = kind.elements if isinstance(kind, ast.Tuple) else [kind]
            blank = ", ".join(f"empty({self._whole(part)})" for part in kinds)
            if not ZERO.fullmatch(self._whole(value)):
                yield "return", self._begin(value), self._end(value), blank

    def _is_state(self, target: Any) -> bool:
        """Whether a write goes to storage: to `self` or to a module's variable."""
        ast = self.ast
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        return isinstance(target, ast.Name) and (target.id == "self" or target.id in self.modules)
