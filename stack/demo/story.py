# SPDX-License-Identifier: AGPL-3.0-only
"""The demo's telling: progress while it runs, a table of what happened at the end."""

import time

from rich.console import Console
from rich.table import Table

from stack.demo.audit import Check


class DemoError(Exception):
    """Something did not happen as it must; the message says what."""


class Story:
    """Chapters with what happened in them, printed as they happen and again as a table."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started_at = time.monotonic()
        self._lines: list[tuple[float, str, str]] = []
        self._chapter = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def chapter(self, title: str) -> None:
        """What follows belongs to this."""
        self._chapter = title
        self._print(f"[bold]{title}[/bold]")

    def say(self, text: str) -> None:
        """Progress only."""
        self._print(f"  {text}")

    def note(self, text: str) -> None:
        """Progress that belongs into the table, too."""
        self._lines.append((self.elapsed, self._chapter, text))
        self.say(text)

    def tell(self) -> None:
        """Print the table."""
        table = Table(title="What happened", title_justify="left", show_lines=False)
        table.add_column("s", justify="right")
        table.add_column("part", style="bold")
        table.add_column("what", overflow="fold")
        before = ""
        for at, chapter, text in self._lines:
            table.add_row(f"{at:.0f}", "" if chapter == before else chapter, text)
            before = chapter
        self.console.print(table)

    def judge(self, checks: list[Check]) -> None:
        """Print the audit."""
        table = Table(title="Do the parts agree?", title_justify="left")
        table.add_column("")
        table.add_column("question", overflow="fold")
        table.add_column("answer", overflow="fold")
        for check in checks:
            mark = "[green]yes[/green]" if check.passed else "[red]NO[/red]"
            table.add_row(mark, check.question, check.answer if check.passed else "\n".join(check.faults))
        self.console.print(table)

    def _print(self, text: str) -> None:
        self.console.print(f"[dim]{self.elapsed:6.1f} s[/dim]  {text}", highlight=False, soft_wrap=True)
