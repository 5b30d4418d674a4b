# SPDX-License-Identifier: AGPL-3.0-only
"""Positions: the stored word and the history, changed by a fill or a take-over."""

from collections.abc import Mapping
from typing import Any

import msgspec

from indexer.store import schema
from indexer.views.block import Block
from indexer.views.exposure import EXPOSURE_COLUMNS, Exposure, exposure_of, trade
from indexer.views.markets import indices
from indexer.views.rows import Row, Rows
from ouro.codec import PositionWord
from ouro.units import SCALE


class Account(msgspec.Struct, frozen=True):
    """Owner address and subaccount number."""

    owner: str
    subaccount: int


class Moved(msgspec.Struct, frozen=True):
    """A position before and after: signed lots, what was open before, profit against the average entry price, what was
    charged; the number of the exposure that ended, if one did, and the funding that was not paid to it before.
    """

    size_before: int
    size_after: int
    sum_open_before: int
    open_notional_before: int
    realised: int
    fee: int
    ended: int | None = None
    funding: int = 0


def touch_account(rows: Rows, block: Block, account: Account, cash: int | None = None) -> None:
    """Note that an account changed in this block; `cash` is its cash now, None leaves it."""
    row = rows.edit(schema.accounts, account.owner, account.subaccount)
    if row is None:
        key = {"owner": account.owner, "subaccount": account.subaccount}
        row = {**key, "cash": 0, "created_block": block.number, "updated_block": block.number}
        rows.put(schema.accounts, row)
    row["updated_block"] = block.number
    if cash is not None:
        row["cash"] = cash


def move(
    rows: Rows,
    block: Block,
    account: Account,
    state: Mapping[str, Any],
    *,
    delta: int,
    price: int,
    fee: int | None,
    word: PositionWord,
    liquidated: bool = False,
) -> Moved:
    """Trade `delta` signed lots and store the `word` that the event carries. `state` is the market's, its hour opened.

    Exposures (flat to flat, or to a flip) are numbered from 1 per account and market. What an event does not say of a
    fee (None) is what the word lacks.
    """
    key = {"owner": account.owner, "subaccount": account.subaccount, "market": state["market"]}
    stored = rows.get(schema.position_words, *key.values())
    size = stored["size"] if stored else 0
    number = stored["exposures"] if stored else 0
    g_long, g_short = indices(state, block)
    bare = stored["quote_scaled"] - size * (g_long if size > 0 else g_short) if stored and size else 0
    if fee is None:
        left = word.q - word.size * (g_long if word.size > 0 else g_short if word.size else 0)
        fee = (bare - left) // SCALE - delta * price
    row = rows.get(schema.positions, *key.values(), number) if size else None
    before = exposure_of(row) if row is not None else None
    result = trade(before, bare, delta, price, fee)

    ended, funding = None, 0
    if row is not None and result.ended is not None:
        net_funding = result.ended.funding_scaled(result.ended_bare) // SCALE
        ended, funding = number, net_funding - row["net_funding"]
        rows.put(
            schema.positions,
            {
                **row,
                **_columns(result.ended),
                "status": "LIQUIDATED" if liquidated else "CLOSED",
                "realised": (result.ended_bare - result.ended.carry_scaled) // SCALE,
                "net_funding": net_funding,
                "closed_block": block.number,
                "closed_at": block.time_s,
            },
        )
    if result.current is not None:
        if row is None or result.ended is not None:
            number += 1
            row = {
                **key,
                "number": number,
                "status": "OPEN",
                "realised": 0,
                "net_funding": 0,
                "created_block": block.number,
                "created_at": block.time_s,
                "closed_block": None,
                "closed_at": None,
            }
        rows.put(schema.positions, {**row, **_columns(result.current)})
    rows.put(
        schema.position_words,
        {
            **key,
            "size": word.size,
            "quote_scaled": word.q if word.size else 0,
            "one_shot_ms": word.one_shot_ms,
            "exposures": number,
        },
    )
    touch_account(rows, block, account)
    return Moved(
        size_before=size,
        size_after=word.size,
        sum_open_before=before.sum_open if before else 0,
        open_notional_before=before.open_notional if before else 0,
        realised=result.realised,
        fee=fee,
        ended=ended,
        funding=funding,
    )


def _columns(exposure: Exposure) -> Row:
    return {name: getattr(exposure, name) for name in EXPOSURE_COLUMNS} | {
        "side": "LONG" if exposure.side > 0 else "SHORT"
    }
