# SPDX-License-Identifier: AGPL-3.0-only
"""No event of any contract is lost: each is a row of its own table, or a note."""

from __future__ import annotations

import inspect
import json
import re

from indexer.views import apply, notes
from indexer.views.apply import apply_block
from indexer.views.rows import MemoryRows
from ouro import events
from ouro.events import Event
from tests.unit.indexer.chain import EXCHANGE, LONG_SIDE, Blocks


def test_every_event_is_kept() -> None:
    handled = set(re.findall(r"\bcase events\.(\w+)\(\)", inspect.getsource(apply)))
    handled |= {kind.__name__ for kind in apply.VIEWS}
    every = {kind.__name__ for kind in Event.__subclasses__()}
    assert len(every) > 60
    assert every == handled | {kind.__name__ for kind in notes.NOTED}


def test_a_note_says_every_argument() -> None:
    blocks, rows = Blocks(), MemoryRows()
    source = events.PriceSource(LONG_SIDE, bytes([7]) * 32, 60)
    blocks.add(events.SourcesSet, market=1, size_decimals=4, quorum=2, max_deviation=2**255, sources=(source, source))
    blocks.add(events.CosignerSet, cosigner=LONG_SIDE, allowed=True)
    apply_block(rows, blocks.done())
    feed = {"adapter": LONG_SIDE, "feed": "0x" + "07" * 32, "max_age": "60"}
    [first, second] = rows.facts["contract_events"]
    assert (first["name"], first["address"]) == ("SourcesSet", EXCHANGE)
    assert json.loads(first["arguments"]) == {
        "market": "1",
        "size_decimals": "4",
        "quorum": "2",
        "max_deviation": str(2**255),
        "sources": [feed, feed],
    }
    assert json.loads(second["arguments"]) == {"cosigner": LONG_SIDE, "allowed": True}
