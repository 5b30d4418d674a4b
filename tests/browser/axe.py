# SPDX-License-Identifier: AGPL-3.0-only
"""What axe finds on a page against WCAG 2.2, levels A and AA."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.support.build import ROOT

SOURCE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def findings(page: Page) -> list[str]:
    """One line for each element that breaks a rule: the rule, the element, what axe says."""
    if not page.evaluate("'axe' in window"):
        # Through the debugger, which the content security policy of the page does not bind.
        page.evaluate(f"() => {{ {SOURCE.read_text()} }}")
    result: dict[str, Any] = page.evaluate(
        "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })",
        list(RULES),
    )
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
