# SPDX-License-Identifier: AGPL-3.0-only
"""The compiler as a library: the assembly of a deployable contract with the statement that each instruction comes from.

`build` gives the tests what they deploy; this gives coverage and mutation testing what they change before that. `root`
is the folder that holds `contracts/`, so that a changed copy can be compiled as well.
"""

import site
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.build import EVM_VERSION, ROOT

TERMINALS = ("JUMP", "RETURN", "REVERT", "STOP", "INVALID")


class Place(NamedTuple):
    """A statement: the file that holds it, from the root, and the line it begins on."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Compiled:
    """One deployable contract, assembled when it is asked for. `sources` are the files of ours that it consists of."""

    name: str
    assembly: list[Any]
    integrity: bytes
    sources: frozenset[str]

    @cached_property
    def code(self) -> bytes:
        """What creates the contract, without the metadata at the end, which changes with any source."""
        return assembled(self.assembly)

    @cached_property
    def code_with_metadata(self) -> bytes:
        return assembled(self.assembly, self.integrity)

    @cached_property
    def runtime_size(self) -> int:
        """Bytes on chain, before the immutables."""
        runtime = next(item for item in self.assembly if isinstance(item, list))
        return len(assembled(runtime[1:]))


def deployables(root: Path = ROOT) -> list[Path]:
    """Every contract that is deployed by itself; modules and interfaces have folders of their own."""
    return sorted((root / "contracts").glob("*.vy"))


def compiled(path: Path, root: Path = ROOT) -> Compiled:
    """Raises the compiler's own errors for a bad source."""
    from vyper.compiler.input_bundle import FilesystemInputBundle  # type: ignore[import-untyped]
    from vyper.compiler.output import _get_reachable_imports  # type: ignore[import-untyped]
    from vyper.compiler.phases import CompilerData  # type: ignore[import-untyped]
    from vyper.compiler.settings import Settings  # type: ignore[import-untyped]

    places = [Path(folder) for folder in site.getsitepackages()] + [root, path.parent]
    bundle = FilesystemInputBundle(places)
    data = CompilerData(bundle.load_file(path), input_bundle=bundle, settings=Settings(evm_version=EVM_VERSION))
    files = [path, *(Path(module.resolved_path) for module in _get_reachable_imports(data))]
    return Compiled(
        name=path.stem,
        assembly=_assembly(data),
        integrity=bytes.fromhex(data.integrity_sum),
        sources=frozenset(str(file.relative_to(root)) for file in files if file.is_relative_to(root)),
    )


def _assembly(data: Any) -> list[Any]:
    """As the compiler itself goes on from the analysed tree, but its optimiser sees which statement each node is of.

    Without that, two assignments of three lose theirs. It also leaves out the runtime code by itself, which the
    compiler makes a second time.
    """
    from vyper.codegen import core, module  # type: ignore[import-untyped]
    from vyper.compiler.phases import generate_assembly
    from vyper.compiler.settings import anchor_settings, should_run_legacy_optimizer
    from vyper.ir import compile_ir, optimizer  # type: ignore[import-untyped]

    target = data.global_ctx
    core.reset_names()
    compile_ir.reset_symbols()
    with anchor_settings(data.settings):
        ir = module.generate_ir_for_module(target)[0]
    _attribute(ir, None)
    if should_run_legacy_optimizer(data.settings):
        ir = optimizer.optimize(ir)
    assembly: list[Any] = generate_assembly(ir, data.settings.optimize)
    return assembly


def _attribute(node: Any, source: Any) -> None:
    if node.ast_source is None:
        node.ast_source = source
    for part in node.args:
        _attribute(part, node.ast_source)


def assembled(assembly: list[Any], metadata: bytes | None = None) -> bytes:
    from vyper.ir.compile_ir import assembly_to_evm  # type: ignore[import-untyped]

    code: bytes = assembly_to_evm(assembly, compiler_metadata=metadata)[0]
    return code


@cache
def _kinds() -> tuple[Any, Any]:
    from vyper import ast  # type: ignore[import-untyped]

    statements = (
        ast.AnnAssign,
        ast.Assert,
        ast.Assign,
        ast.AugAssign,
        ast.Break,
        ast.Continue,
        ast.Expr,
        ast.For,
        ast.If,
        ast.Log,
        ast.Raise,
        ast.Return,
    )
    return statements, ast.FunctionDef


def statement_of(node: Any) -> Any | None:
    """The innermost statement around a node of the syntax tree; none for what is outside, such as a signature."""
    statements, function = _kinds()
    while node is not None and not isinstance(node, function):
        parent = node._parent
        is_loop_variable = getattr(parent, "target", None) is node and type(parent).__name__ == "For"
        if isinstance(node, statements) and not is_loop_variable:
            return node
        node = parent
    return None


def place_of(item: Any, root: Path = ROOT) -> Place | None:
    """The statement that an item of an assembly comes from, if that is one of ours."""
    node = getattr(item, "ast_source", None)
    statement = None if node is None else statement_of(node.get_original_node())
    if statement is None or statement.lineno is None:  # the getter of a public variable has no line
        return None
    file = Path(statement.module_node.resolved_path)
    return Place(str(file.relative_to(root)), statement.lineno) if file.is_relative_to(root) else None


def parsed(path: Path) -> Any:
    """The bare syntax tree of a file, with the positions of the source text."""
    from vyper.ast import parse_to_ast

    return parse_to_ast(path.read_text(), module_path=str(path), resolved_path=str(path))


def statements_of(path: Path) -> Iterator[Any]:
    """Every statement inside the functions of a file."""
    statements, function = _kinds()
    for definition in parsed(path).get_children(function):
        for node in definition.get_descendants(statements):
            if statement_of(node) is node:
                yield node


def suites_of(path: Path) -> Iterator[list[Any]]:
    """The lists of statements that run one after the other."""
    from vyper import ast

    for definition in parsed(path).get_children(ast.FunctionDef):
        for block in [definition, *definition.get_descendants((ast.For, ast.If))]:
            for suite in (block.body, getattr(block, "orelse", [])):
                if found := [node for node in suite if statement_of(node) is node]:
                    yield found
