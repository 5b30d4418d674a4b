# SPDX-License-Identifier: AGPL-3.0-only
"""Equity and profit by the hour: when the first event of another hour comes, the hour before it is closed.

A tick is what an account was worth at the end of the hour, after all events before it, by the contract's own rules.
Accounts that hold positions or changed since the last tick get one. Hours without an event have none.
"""

from collections.abc import Mapping

from indexer.store import schema
from indexer.views import days
from indexer.views.block import Block
from indexer.views.custody import net_transfers
from indexer.views.positions import Account
from indexer.views.rows import Row, Rows
from indexer.views.worth import Present, leg, present
from ouro.maths import margin
from ouro.maths.funding import HOUR_S
from ouro.units import SCALE

HOUR, FIRST_BLOCK = "pnl_hour", "pnl_hour_block"


def close_hour(rows: Rows, block: Block) -> None:
    """Before a block's events: if they are the first of an hour, write the ticks of the hour of the last events."""
    hour = block.time_s // HOUR_S
    known = rows.get(schema.settings, HOUR)
    if known is not None:
        last = int(known["value"])
        if hour <= last:
            return
        first = rows.get(schema.settings, FIRST_BLOCK)
        assert first is not None
        _write(rows, block, (last + 1) * HOUR_S, int(first["value"]))
    rows.put(schema.settings, {"name": HOUR, "value": str(hour)})
    rows.put(schema.settings, {"name": FIRST_BLOCK, "value": str(block.number)})


def _write(rows: Rows, block: Block, end_s: int, first_block: int) -> None:
    words: dict[Account, list[Mapping[str, object]]] = {}
    for word in rows.held():
        words.setdefault(Account(word["owner"], word["subaccount"]), []).append(word)
    touched = [Account(row["owner"], row["subaccount"]) for row in rows.touched(first_block)]
    wanted = sorted({*words, *touched}, key=lambda account: (account.owner, account.subaccount))
    keys = [(account.owner, account.subaccount) for account in wanted]
    for table in (schema.accounts, schema.net_transfers):
        rows.prefetch(table, keys)
    rows.prefetch(schema.account_days, [(days.closed_day(end_s), *key) for key in keys])
    markets = _Markets(rows, end_s)
    for account in wanted:
        cash = rows.get(schema.accounts, account.owner, account.subaccount)
        legs = [leg(word, *markets.at(word["market"])) for word in words.get(account, [])]
        equity = margin.evaluate(cash["cash"] if cash else 0, legs).equity_scaled // SCALE
        transferred = net_transfers(rows, account.owner, account.subaccount)
        rows.add(
            schema.pnl_ticks,
            {
                "block_number": block.number,
                "owner": account.owner,
                "subaccount": account.subaccount,
                "time_s": end_s,
                "block_time_s": block.time_s,
                "equity": equity,
                "transferred": transferred,
            },
        )
        days.closed_hour(rows, end_s, account, equity - transferred)


class _Markets:
    """Markets at the end of an hour, each brought there once."""

    def __init__(self, rows: Rows, end_s: int) -> None:
        self._rows = rows
        self._end_s = end_s
        self._known: dict[object, tuple[Row, Present]] = {}

    def at(self, market: object) -> tuple[Row, Present]:
        found = self._known.get(market)
        if found is None:
            listed, state = self._rows.get(schema.markets, market), self._rows.get(schema.market_states, market)
            assert listed is not None
            assert state is not None
            row = {**listed, **state}
            found = self._known[market] = (row, present(row, self._end_s))
        return found
