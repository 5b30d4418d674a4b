# SPDX-License-Identifier: AGPL-3.0-only
"""PyPI's matching-engine on a stream of operations: run by an interpreter that has it. Prints JSON.

Commands are made a slice at a time, as they would come in; that is not timed.
"""

import gc
import json
import sys
import time
from pathlib import Path

from matching_engine.domain import (
    CancelOrder,
    NewOrder,
    OrderType,
    SelfTradePrevention,
    SequencedCommand,
    Side,
    TimeInForce,
)
from matching_engine.engine import MatchingEngine
from matching_engine.events import Trade

SLICE = 1_000


def command(seq: int, line: str) -> SequencedCommand:
    """One line of the stream."""
    kind, number, account, sell, price, lots = line.split()
    if kind == "cancel":
        made = CancelOrder(order_id=int(number), account=int(account))
    else:
        made = NewOrder(
            order_id=int(number),
            account=int(account),
            side=Side.SELL if sell == "1" else Side.BUY,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.IOC if kind == "take" else TimeInForce.GTC,
            price=int(price),
            qty=int(lots),
            stp=SelfTradePrevention.CANCEL_TAKER,
        )
    return SequencedCommand(seq=seq, ts=seq, command=made)


engine = MatchingEngine()
lines = Path(sys.argv[1]).read_text().splitlines()
events, seconds = [], 0.0
gc.collect()
gc.disable()
for at in range(0, len(lines), SLICE):
    commands = [command(seq, line) for seq, line in enumerate(lines[at : at + SLICE], at + 1)]
    started = time.process_time()
    events += [engine.process(each) for each in commands]
    seconds += time.process_time() - started
fills = sum(isinstance(event, Trade) for caused in events for event in caused)
json.dump({"per_second": len(lines) / seconds, "fills": fills}, sys.stdout)
