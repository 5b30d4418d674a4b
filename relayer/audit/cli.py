# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro audit`: prove a relayer's journal, or find the first record that is wrong."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ouro.client.receipts import read_receipts
from ouro.deployment import Deployment
from ouro.errors import OuroError
from ouro.receipts import Receipt
from relayer.audit.auditor import Auditor
from relayer.audit.node import Node
from relayer.audit.published import PublishedJournal
from relayer.audit.report import Report
from relayer.audit.source import DiskJournal, Source
from relayer.journal import OsFiles, Snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

WRONG, UNABLE = 1, 2


@app.command()
def audit(
    journal: Annotated[str, typer.Option(help="The journal's folder, or the URL of a relayer that publishes it.")],
    rpc: Annotated[str, typer.Option(help="A node that you trust, not the operator's.")],
    deployment: Annotated[
        Path | None, typer.Option(help="The deployment's record: which contracts and which operator it must be.")
    ] = None,
    receipts: Annotated[
        list[Path] | None, typer.Option(help="Receipts to hold against it, one per line; may be given again.")
    ] = None,
    signer: Annotated[str, typer.Option(help="Who signs receipts, if it is not the operator.")] = "",
    snapshots: Annotated[
        Path | None, typer.Option(help="The relayer's snapshots, for a journal whose beginning was removed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Prove that a journal is the one that was anchored and that everything follows from it.

    Exits with 0 if nothing is wrong, 1 if something is (the first record that is wrong is named), 2 if journal, node or
    receipts cannot be read.
    """
    try:
        with closing(Node(rpc)) as node:
            report = Auditor(
                source_of(journal),
                node,
                deployment=Deployment.load(deployment) if deployment is not None else None,
                receipts=_read(receipts or ()),
                receipt_signer=signer,
                snapshots=Snapshots(OsFiles(snapshots)) if snapshots is not None else None,
                progress=_Progress(),
            ).run()
    except (OuroError, OSError) as error:
        print(f"ouro audit: {error}", file=sys.stderr)
        raise typer.Exit(UNABLE) from None
    _print(report, as_json=as_json)
    raise typer.Exit(0 if report.passed else WRONG)


def source_of(journal: str) -> Source:
    """A folder, or what a relayer publishes."""
    return PublishedJournal(journal) if journal.startswith(("http://", "https://")) else DiskJournal(Path(journal))


def _read(paths: Sequence[Path]) -> list[Receipt]:
    return [receipt for path in paths for receipt in read_receipts(path)]


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(report.json() + b"\n")
    else:
        print(report.text())


class _Progress:
    """A line on a terminal, about once a second."""

    def __init__(self) -> None:
        self._shown_at = time.monotonic()

    def __call__(self, seq: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown_at >= 1:
            self._shown_at = now
            print(f"\rrecord {seq:,}", end="\r", file=sys.stderr, flush=True)
