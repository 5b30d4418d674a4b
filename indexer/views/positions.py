# SPDX-License-Identifier: AGPL-3.0-only
"""Positions: the stored word and the history, changed by a fill or a take-over."""

from collections.abc import Mapping
from typing import Any

import msgspec

from indexer.store import schema
from indexer.views.block import Block
from indexer.views.exposure import exposure_of, trade
from indexer.views.markets import indices
from indexer.views.rows import Rows
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
    owner, subaccount, market = account.owner, account.subaccount, state["market"]
    stored = rows.edit(schema.position_words, owner, subaccount, market)
    if stored is None:
        stored = {"owner": owner, "subaccount": subaccount, "market": market, "size": 0, "exposures": 0}
        rows.put(schema.position_words, stored)
    size, number = stored["size"], stored["exposures"]
    bare = 0
    if size or fee is None:
        g_long, g_short = indices(state, block)
        if size:
            bare = stored["quote_scaled"] - size * (g_long if size > 0 else g_short)
        if fee is None:
            left = word.q - word.size * (g_long if word.size > 0 else g_short if word.size else 0)
            fee = (bare - left) // SCALE - delta * price
    row = rows.edit(schema.positions, owner, subaccount, market, number) if size else None
    sum_open, open_notional = (row["sum_open"], row["open_notional"]) if row is not None else (0, 0)
    result = trade(row, bare, delta, price, fee)

    ended, funding = None, 0
    if row is not None and result.ended_bare is not None:
        net_funding = exposure_of(row).funding_scaled(result.ended_bare) // SCALE
        ended, funding = number, net_funding - row["net_funding"]
        row["status"] = "LIQUIDATED" if liquidated else "CLOSED"
        row["realised"] = (result.ended_bare - row["carry_scaled"]) // SCALE
        row["net_funding"] = net_funding
        row["closed_block"], row["closed_at"] = block.number, block.time_s
    if result.opened is not None:
        number += 1
        begun = {
            "owner": owner,
            "subaccount": subaccount,
            "market": market,
            "number": number,
            "status": "OPEN",
            "realised": 0,
            "net_funding": 0,
            "created_block": block.number,
            "created_at": block.time_s,
            "closed_block": None,
            "closed_at": None,
        }
        rows.put(schema.positions, begun | result.opened)
    stored["size"] = word.size
    stored["quote_scaled"] = word.q if word.size else 0
    stored["one_shot_ms"] = word.one_shot_ms
    stored["exposures"] = number
    touch_account(rows, block, account)
    return Moved(size, word.size, sum_open, open_notional, result.realised, fee, ended, funding)
