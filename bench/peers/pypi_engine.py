# SPDX-License-Identifier: AGPL-3.0-only
"""PyPI's matching-engine on a stream of operations: run by an interpreter that has it. Prints JSON."""

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

commands = []
for seq, line in enumerate(Path(sys.argv[1]).read_text().splitlines(), 1):
    kind, number, account, sell, price, lots = line.split()
    if kind == "cancel":
        command = CancelOrder(order_id=int(number), account=int(account))
    else:
        command = NewOrder(
            order_id=int(number),
            account=int(account),
            side=Side.SELL if sell == "1" else Side.BUY,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.IOC if kind == "take" else TimeInForce.GTC,
            price=int(price),
            qty=int(lots),
            stp=SelfTradePrevention.CANCEL_TAKER,
        )
    commands.append(SequencedCommand(seq=seq, ts=seq, command=command))

engine = MatchingEngine()
gc.collect()
gc.disable()
started = time.process_time()
events = [engine.process(command) for command in commands]
seconds = time.process_time() - started
fills = sum(isinstance(event, Trade) for caused in events for event in caused)
json.dump({"per_second": len(commands) / seconds, "fills": fills}, sys.stdout)
