# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro demo`: play the whole exchange through and prove that its parts agree. Exit 0 only if they do."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ouro.errors import OuroError
from stack.demo.audit import Check, audit, rejected_share
from stack.demo.facts import Facts, read_chain, read_indexer, read_relayer
from stack.demo.fairness import fairness
from stack.demo.raw import RawChain
from stack.demo.scenario import Scenario
from stack.demo.story import DemoError, Story
from stack.demo.venue import Venue
from stack.supervisor import StackError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

FINAL_AFTER_BLOCKS = 4


@app.command()
def demo(
    state: Annotated[
        Path | None,
        typer.Option(help="Keep state and logs in this folder, which must be new.", show_default="temporary"),
    ] = None,
) -> None:
    """Play deposits, trades, a bad fill, a killed relayer, a crash, liquidation, funding, withdrawals; then audit."""
    story = Story(Console(soft_wrap=False))
    if state is not None:
        if state.exists() and any(state.iterdir()):
            raise typer.BadParameter(f"{state} is not empty", param_hint="--state")
        passed = _run(state.resolve(), story)
    else:
        with tempfile.TemporaryDirectory(prefix="ouro-demo-") as folder:
            passed = _run(Path(folder), story)
    raise typer.Exit(0 if passed else 1)


def _run(folder: Path, story: Story) -> bool:
    """The whole demo on one folder; whether everything held."""
    story.chapter("Starting an exchange of its own")
    venue = Venue(folder, story)
    try:
        venue.start()
        story.note(f"chain, contracts, relayer and indexer serve at {venue.plan.base_url}")
        scenario = Scenario(venue, story)
        try:
            scenario.play()
        finally:
            scenario.close()
        story.chapter("Audit")
        facts = gather(venue, scenario.acknowledged)
        checks = audit(facts)
        checks += fairness(folder / "journal", venue.node.url, venue.deployment, scenario.receipts)
    except (DemoError, StackError, OuroError) as error:
        story.tell()
        story.console.print(f"\n[red]The demo failed.[/red] {error}", highlight=False)
        _show_logs(folder, story)
        return False
    finally:
        venue.stop()
    story.tell()
    story.judge(checks)
    return _verdict(story, facts, checks)


def gather(venue: Venue, acknowledged: list[str]) -> Facts:
    """What everybody says once the chain stands still and everybody has seen all of it."""
    with venue.standstill():
        venue.mine(FINAL_AFTER_BLOCKS)
        block = int(venue.node.call("eth_blockNumber"), 16)
        venue.settled()
        chain = read_chain(RawChain(venue.node.call, block), venue.record)
        return Facts(
            chain=chain,
            relayer=read_relayer(venue.plan.relayer_url, venue.plan.events_headers),
            indexer=read_indexer(venue.plan.base_url, venue.record, list(chain.cash)),
            tickers={market["id"]: market["ticker"] for market in venue.record["markets"]},
            acknowledged=acknowledged,
        )


def _verdict(story: Story, facts: Facts, checks: list[Check]) -> bool:
    rejected, given = rejected_share(facts)
    story.console.print(f"Rejected on chain: {rejected} of {given} fills ({rejected * 100 / given:.1f}%).")
    failed = [check for check in checks if not check.passed]
    if failed:
        story.console.print(f"[red]{len(failed)} of {len(checks)} checks failed[/red] after {story.elapsed:.0f} s.")
        return False
    story.console.print(
        f"[green]Contracts, relayer and indexer agree to the unit, and every token is accounted for.[/green] "
        f"{len(checks)} checks, {story.elapsed:.0f} s."
    )
    return True


def _show_logs(folder: Path, story: Story) -> None:
    """The end of each log, before a temporary folder goes away."""
    for name in ("anvil", "relayer", "indexer"):
        log = folder / "logs" / f"{name}.log"
        if not log.exists():
            continue
        lines = log.read_text(errors="replace").splitlines()[-12:]
        story.console.print(
            f"\n{log.name}:\n" + "\n".join("    " + line for line in lines), markup=False, highlight=False
        )
