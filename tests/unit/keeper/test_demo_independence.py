# SPDX-License-Identifier: AGPL-3.0-only
"""The audit shares no code with what it audits."""

import ast
from pathlib import Path

import pytest

import stack.demo.audit

FOLDER = Path(stack.demo.audit.__file__).parent
ALLOWED = {"stack.demo.audit", "stack.demo.facts", "stack.demo.model", "stack.demo.raw"}
OURS = {"ouro", "relayer", "indexer", "keeper", "stack"}


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_the_audit_imports_nothing_of_ours_but_itself(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name.rsplit('.', 1)[1]}.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {module for module in imported if module.split(".")[0] in OURS} <= ALLOWED
