# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro indexer reconcile`: equal tables pass, each changed value is named, and what cannot be compared is said."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Table, select, update

from indexer import service
from indexer.reconcile import ReconcileError, Result
from indexer.store import schema
from tests.integration.indexer.index import Index
from tests.integration.indexer.venue import HEDGER, MAKER, TAKER, ChainVenue, venue
from tests.support.build import ROOT


@contextmanager
def indexed(database_url: str) -> Iterator[tuple[ChainVenue, Index]]:
    with venue() as chain:
        index = Index(chain.rpc.url, chain.record(), database_url)
        try:
            yield chain, index
        finally:
            index.close()


class Command:
    """`ouro indexer reconcile` as a process, or its result in this one."""

    def __init__(self, chain: ChainVenue, index: Index, folder: Path) -> None:
        deployment = folder / "deployment.json"
        deployment.write_text(json.dumps(chain.record()))
        url = index.engine.url.render_as_string(hide_password=False)
        self.options = service.Options(chain.rpc.url, "", url, deployment)

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        options = self.options
        flags = ["--rpc-url", options.rpc_url, "--database-url", options.database_url]
        command = [
            sys.executable,
            "-m",
            "indexer",
            "reconcile",
            *flags,
            "--deployment",
            str(options.deployment_path),
            *more,
        ]
        return subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    def result(self) -> Result:
        return service.reconcile(self.options)


def first_account(index: Index) -> tuple[str, int]:
    row = index.tables()["accounts"][0]
    return row["owner"], row["subaccount"]


def test_every_difference_is_named(database_url: str, tmp_path: Path) -> None:
    with indexed(database_url) as (chain, index):
        command = Command(chain, index, tmp_path)
        with pytest.raises(ReconcileError, match="let the indexer run first"):
            command.result()

        dice = random.Random(3)
        for _ in range(25):
            chain.act(dice)
        chain.trade(TAKER, MAKER, 100)
        chain.exchange.send(HEDGER.address).register_referrer(0)
        index.sync()
        equal = command.run()
        assert equal.returncode == 0, equal.stderr
        assert f"values differ at block {chain.block}" in equal.stdout
        # The chain may be further: it is asked at the height of the tables.
        chain.trade(TAKER, MAKER, 100)
        after = command.result()
        assert after.differences == ()
        assert after.compared > 30

        def change(table: Table, field: str, **values: object) -> None:
            before = len(command.result().differences)
            with index.engine.begin() as connection:
                key = next(iter(table.primary_key.columns))
                first = min(row[0] for row in connection.execute(select(key)))
                assert connection.execute(update(table).where(key == first).values(values)).rowcount
            found = command.result().differences
            assert len(found) > before
            assert field in {each.field for each in found}

        change(schema.accounts, "cash", cash=-5)
        change(schema.position_words, "size", size=77)
        change(schema.market_states, "open_interest", open_interest=1)
        change(schema.market_states, "g_long", g_long=-(2**70))
        change(schema.totals, "fees", amount=3)
        change(schema.referrers, "owner", owner=MAKER.address)
        found = command.run()
        assert found.returncode == 1, found.stderr
        cash = chain.exchange.call.cash(*first_account(index))
        assert f"cash is -5 in the tables, {cash} on chain" in found.stdout
        told = json.loads(command.run("--json").stdout)
        assert told["block"] == str(command.result().block)
        assert {"field": "cash", "table": "-5", "chain": str(cash)}.items() <= told["differences"][0].items()


def test_another_branch_is_not_compared(database_url: str, tmp_path: Path) -> None:
    with indexed(database_url) as (chain, index):
        mark = chain.mark()
        chain.trade(TAKER, MAKER, 100)
        index.sync()
        chain.back(mark)
        chain.push({})
        found = Command(chain, index, tmp_path).run()
        assert (found.returncode, "another block" in found.stderr) == (2, True)
