# SPDX-License-Identifier: AGPL-3.0-only
"""SIGKILL of a real indexer anywhere, also in a reorganisation: it goes on and ends where a fresh one does."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

from sqlalchemy import Engine, select

from indexer.store.engine import open_engine
from indexer.store.schema import chain_cursor
from stack.ports import free_port
from tests.integration.indexer.index import Index
from tests.integration.indexer.process import IndexerProcess
from tests.integration.indexer.venue import venue
from tests.support.databases import Databases
from tests.support.waiting import eventually

KILLS = 5


def height(engine: Engine) -> int:
    """Where the tables stand; -1 before anything."""
    with engine.begin() as connection:
        found = connection.scalar(select(chain_cursor.c.block_number))
    return -1 if found is None else int(found)


def test_a_killed_indexer_goes_on(databases: Databases, database_url: str, tmp_path: Path) -> None:
    dice = random.Random(23)
    deployment = tmp_path / "deployment.json"
    nobody = f"http://127.0.0.1:{free_port()}"
    tables = open_engine(database_url, writes=False)
    with venue() as chain:
        deployment.write_text(json.dumps(chain.record()))
        for _ in range(80):
            chain.act(dice)
        indexer = IndexerProcess(
            chain.rpc.url, nobody, deployment, tmp_path / "indexer", OURO_DATABASE_URL=database_url
        )
        try:
            for _ in range(KILLS):
                # The first deaths come while it fills in the past, far from the head; nobody waits until it serves.
                start = height(tables)
                indexer.launch()
                mark = chain.mark()
                for _ in range(dice.randrange(1, 6)):
                    chain.act(dice)
                if dice.randrange(2):
                    chain.back(mark)
                    for _ in range(dice.randrange(1, 6)):
                        chain.act(dice)
                target = min(start + dice.randrange(1, 60), chain.block)
                eventually(lambda target=target: height(tables) >= target, f"block {target}")
                indexer.stop(signal.SIGKILL)
            indexer.start("/health")
            eventually(lambda: indexer.get("/v4/height")["height"] == str(chain.block), "the head")
            assert indexer.stop() == 0
            index = Index(chain.rpc.url, chain.record(), database_url)
            fresh = Index(chain.rpc.url, chain.record(), databases.new())
            # A last branch may have been of the same length: whoever follows sees it with the next block at the latest.
            index.sync()
            fresh.sync()
            found, expected = index.dump(), fresh.dump()
            index.close()
            fresh.close()
            assert found == expected
        finally:
            indexer.close()
            tables.dispose()
