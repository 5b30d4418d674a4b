# SPDX-License-Identifier: AGPL-3.0-only
"""Settled fills and take-overs: the tape, both sides' rows, positions, open interest, candles, the funding sums."""

from indexer.store import schema
from indexer.views.block import Block, fact, hex_of
from indexer.views.candles import RESOLUTIONS, extended, started_at
from indexer.views.markets import state_of
from indexer.views.positions import Account, Moved, move
from indexer.views.rows import Row, Rows
from ouro import events
from ouro.maths import fees, funding

BUY, SELL = "BUY", "SELL"


def filled(rows: Rows, block: Block, event: events.Fill) -> None:
    """A fill of the book."""
    detail = event.detail
    state = state_of(rows, detail.market, block)
    taker = Account(event.taker, detail.taker_subaccount)
    maker = Account(event.maker, detail.maker_subaccount)
    taker_side, maker_side = (SELL, BUY) if detail.taker_sold else (BUY, SELL)
    notional = detail.price * detail.size
    open_interest = state["open_interest"]
    sides = (
        ("TAKER", taker, maker, taker_side, detail.taker_fee_ppm, event.taker_order, event.taker_position),
        ("MAKER", maker, taker, maker_side, detail.maker_fee_ppm, event.maker_order, event.maker_position),
    )
    for liquidity, account, other, side, fee_ppm, order_id, word in sides:
        fee = fees.fee(notional, fee_ppm)
        delta = detail.size if side == BUY else -detail.size
        moved = move(rows, block, account, state, delta=delta, price=detail.price, fee=fee, word=word)
        open_interest += max(moved.size_after, 0) - max(moved.size_before, 0)
        rows.add(
            schema.fills,
            fact(
                block,
                event,
                liquidity=liquidity,
                id=str(detail.fill_id),
                **_side(account, other, moved),
                market=detail.market,
                side=side,
                type="LIMIT",
                size=detail.size,
                price=detail.price,
                fee=fee,
                fee_ppm=fee_ppm,
                order_id=hex_of(order_id),
            ),
        )
    rows.add(
        schema.trades,
        fact(
            block,
            event,
            id=str(detail.fill_id),
            market=detail.market,
            side=taker_side,
            type="LIMIT",
            size=detail.size,
            price=detail.price,
            open_interest=open_interest,
        ),
    )
    _extend_candles(rows, block, detail.market, detail.price, detail.size, state["open_interest"])
    state["open_interest"] = open_interest
    _count_for_funding(state, event)
    rows.put(schema.market_states, state)


def liquidated(rows: Rows, block: Block, event: events.Liquidated) -> None:
    """A take-over: on the tape as a liquidation, but no print that candles or funding are made of."""
    state = state_of(rows, event.market, block)
    account = Account(event.account, event.subaccount)
    liquidator = Account(event.liquidator, event.liquidator_subaccount)
    lots = abs(event.size)
    id_ = f"{event.where.transaction_hash}-{event.where.log_index}"
    given_side, taken_side = (SELL, BUY) if event.size > 0 else (BUY, SELL)
    # What the hole was covered with came into the position as a negative fee.
    given_fee = event.insurance_fee - event.covered
    sides = (
        ("TAKER", "LIQUIDATED", account, liquidator, given_side, -event.size, given_fee, event.position),
        ("MAKER", "LIQUIDATION", liquidator, account, taken_side, event.size, 0, event.liquidator_position),
    )
    for liquidity, kind, own, other, side, delta, fee, word in sides:
        moved = move(
            rows,
            block,
            own,
            state,
            delta=delta,
            price=event.price,
            fee=fee,
            word=word,
            liquidated=kind == "LIQUIDATED",
        )
        state["open_interest"] += max(moved.size_after, 0) - max(moved.size_before, 0)
        rows.add(
            schema.fills,
            fact(
                block,
                event,
                liquidity=liquidity,
                id=id_,
                **_side(own, other, moved),
                market=event.market,
                side=side,
                type=kind,
                size=lots,
                price=event.price,
                fee=fee,
                fee_ppm=0,
                order_id=None,
            ),
        )
    rows.add(
        schema.trades,
        fact(
            block,
            event,
            id=id_,
            market=event.market,
            side=given_side,
            type="LIQUIDATED",
            size=lots,
            price=event.price,
            open_interest=state["open_interest"],
        ),
    )
    rows.add(
        schema.liquidations,
        fact(
            block,
            event,
            owner=account.owner,
            subaccount=account.subaccount,
            liquidator=liquidator.owner,
            liquidator_subaccount=liquidator.subaccount,
            market=event.market,
            size=event.size,
            price=event.price,
            insurance_fee=event.insurance_fee,
            covered=event.covered,
        ),
    )
    rows.put(schema.market_states, state)


def _side(account: Account, other: Account, moved: Moved) -> Row:
    return {
        "owner": account.owner,
        "subaccount": account.subaccount,
        "counterparty": other.owner,
        "counterparty_subaccount": other.subaccount,
        "size_before": moved.size_before,
        "size_after": moved.size_after,
        "sum_open_before": moved.sum_open_before,
        "open_notional_before": moved.open_notional_before,
        "realised": moved.realised,
    }


def _extend_candles(rows: Rows, block: Block, market: int, price: int, size: int, open_interest: int) -> None:
    for resolution_s in RESOLUTIONS.values():
        key = (market, resolution_s, started_at(block.time_s, resolution_s))
        rows.put(schema.candles, extended(rows.get(schema.candles, *key), key, price, size, open_interest))


def _count_for_funding(state: Row, event: events.Fill) -> None:
    """Add to the sums of the running hour what the contract adds."""
    detail = event.detail
    if funding.counts(detail.taker_fee_ppm, detail.maker_fee_ppm, event.taker, event.maker):
        state["volume_sum"] += detail.size
        state["premium_sum"] += detail.size * funding.premium(detail.price, state["index_price"])
