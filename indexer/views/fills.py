# SPDX-License-Identifier: AGPL-3.0-only
"""Settled fills and everything else that moves positions: the tape, both sides' rows, positions, open interest,
candles, the funding sums.
"""

from collections.abc import Sequence

from indexer.store import schema
from indexer.views.block import Block, StartBlockError, fact, hex_of
from indexer.views.candles import Bars
from indexer.views.days import traded
from indexer.views.markets import indices, state_of
from indexer.views.payments import pay
from indexer.views.positions import Account, Moved, move
from indexer.views.rows import Row, Rows
from ouro import events
from ouro.codec import PositionWord
from ouro.events import Event
from ouro.maths import fees, funding

BUY, SELL = "BUY", "SELL"
TAKER, MAKER = "TAKER", "MAKER"
LIMIT, LIQUIDATED, LIQUIDATION = "LIMIT", "LIQUIDATED", "LIQUIDATION"
DELEVERAGED, OFFSETTING, CLOSED, SETTLED = "DELEVERAGED", "OFFSETTING", "CLOSED", "SETTLED"


def filled(rows: Rows, block: Block, event: events.Fill, bars: Bars, share_ppm: int = 0) -> None:
    """A fill of the book. Its taker may be an account that is being liquidated: it signed no order, and what it paid to
    the insurance fund is in its position alone. `share_ppm` of the fees goes to a referrer.
    """
    detail = event.detail
    state = rows.edit(schema.market_states, detail.market)
    if state is None or rows.get(schema.markets, detail.market) is None:
        raise StartBlockError(f"market {detail.market} was traded before it was listed")
    state["updated_block"] = block.number
    taker = Account(event.taker, detail.taker_subaccount)
    maker = Account(event.maker, detail.maker_subaccount)
    notional = detail.price * detail.size
    open_interest = state["open_interest"]
    lots = -detail.size if detail.taker_sold else detail.size
    kinds = (LIQUIDATED, LIQUIDATION) if detail.is_liquidation else (LIMIT, LIMIT)
    id_ = str(detail.fill_id)
    taken = _move(
        rows,
        block,
        event,
        state,
        id_=id_,
        kind=kinds[0],
        liquidity=TAKER,
        account=taker,
        other=maker,
        delta=lots,
        price=detail.price,
        fee=None if detail.is_liquidation else fees.fee(notional, detail.taker_fee_ppm),
        fee_ppm=detail.taker_fee_ppm,
        order_id=None if detail.is_liquidation else event.taker_order,
        word=event.taker_position,
    )
    _move(
        rows,
        block,
        event,
        state,
        id_=id_,
        kind=kinds[1],
        liquidity=MAKER,
        account=maker,
        other=taker,
        delta=-lots,
        price=detail.price,
        fee=fees.fee(notional, detail.maker_fee_ppm),
        fee_ppm=detail.maker_fee_ppm,
        order_id=event.maker_order,
        word=event.maker_position,
    )
    _print(rows, block, event, state, id_=id_, kind=kinds[0], lots=lots, price=detail.price)
    bars.add(detail.market, detail.price, detail.size, open_interest)
    if detail.is_liquidation:
        _liquidation(
            rows, block, event, taker, maker, market=detail.market, size=-lots, fee=taken.fee, price=detail.price
        )
    _count_for_funding(state, event, share_ppm)


def liquidated(rows: Rows, block: Block, event: events.Liquidated) -> None:
    """A take-over: on the tape as a liquidation, but no print that candles or funding are made of."""
    state = state_of(rows, event.market, block)
    account = Account(event.account, event.subaccount)
    liquidator = Account(event.liquidator, event.liquidator_subaccount)
    id_ = _id_of(event)
    _move(
        rows,
        block,
        event,
        state,
        id_=id_,
        kind=LIQUIDATED,
        liquidity=TAKER,
        account=account,
        other=liquidator,
        delta=-event.size,
        price=event.price,
        # What the hole was covered with came into the position as a negative fee.
        fee=event.insurance_fee - event.covered,
        word=event.position,
    )
    _move(
        rows,
        block,
        event,
        state,
        id_=id_,
        kind=LIQUIDATION,
        liquidity=MAKER,
        account=liquidator,
        other=account,
        delta=event.size,
        price=event.price,
        fee=0,
        word=event.liquidator_position,
    )
    _print(rows, block, event, state, id_=id_, kind=LIQUIDATED, lots=-event.size, price=event.price)
    _liquidation(
        rows,
        block,
        event,
        account,
        liquidator,
        market=event.market,
        size=event.size,
        fee=event.insurance_fee,
        covered=event.covered,
        price=event.price,
    )
    rows.put(schema.market_states, state)


def deleveraged(rows: Rows, block: Block, event: events.Deleveraged, handed: Sequence[events.HandedOver]) -> None:
    """What nothing could pay is in the price at which opposite accounts close."""
    fee = event.insurance_fee - event.covered
    _hand_over(rows, block, event, handed, kind=DELEVERAGED, fee=fee)
    rows.add(
        schema.deleveragings,
        fact(
            block,
            event,
            owner=event.account,
            subaccount=event.subaccount,
            market=event.market,
            size=event.size,
            price=event.price,
            insurance_fee=event.insurance_fee,
            covered=event.covered,
        ),
    )


def close_requested(rows: Rows, block: Block, event: events.CloseRequested) -> None:
    rows.put(
        schema.close_requests,
        {
            "owner": event.account,
            "subaccount": event.subaccount,
            "market": event.market,
            "size": event.size,
            "left": abs(event.size),
            "ready_at": event.ready_at,
            "requested_block": block.number,
        },
    )


def close_executed(rows: Rows, block: Block, event: events.CloseExecuted, handed: Sequence[events.HandedOver]) -> None:
    """A close without the operator: the counterparties are paid by the price."""
    _hand_over(rows, block, event, handed, kind=CLOSED, fee=0)
    request = rows.get(schema.close_requests, event.account, event.subaccount, event.market)
    if request is not None:
        rows.put(schema.close_requests, {**request, "left": event.left})


def position_settled(rows: Rows, block: Block, event: events.PositionSettled) -> None:
    """A position of a market that ended: closed at its price, with nobody."""
    state = state_of(rows, event.market, block)
    account = Account(event.account, event.subaccount)
    stored = rows.get(schema.position_words, account.owner, account.subaccount, event.market)
    price = state["index_price"]
    _move(
        rows,
        block,
        event,
        state,
        id_=_id_of(event),
        kind=SETTLED,
        liquidity=TAKER,
        account=account,
        other=Account(event.where.address, 0),
        delta=-event.size,
        price=price,
        fee=-event.covered,
        word=PositionWord(0, 0, stored["one_shot_ms"] if stored else 0),
    )
    rows.add(
        schema.settlements,
        fact(
            block,
            event,
            owner=account.owner,
            subaccount=account.subaccount,
            market=event.market,
            size=event.size,
            price=price,
            covered=event.covered,
        ),
    )
    rows.put(schema.market_states, state)


def _hand_over(
    rows: Rows,
    block: Block,
    event: events.Deleveraged | events.CloseExecuted,
    handed: Sequence[events.HandedOver],
    *,
    kind: str,
    fee: int,
) -> None:
    """One account's lots go to several; the account's own row names the exchange as its counterparty."""
    state = state_of(rows, event.market, block)
    account = Account(event.account, event.subaccount)
    id_ = _id_of(event)
    _move(
        rows,
        block,
        event,
        state,
        id_=id_,
        kind=kind,
        liquidity=TAKER,
        account=account,
        other=Account(event.where.address, 0),
        delta=-event.size,
        price=event.price,
        fee=fee,
        word=event.position,
    )
    for part in handed:
        _move(
            rows,
            block,
            part,
            state,
            id_=id_,
            kind=OFFSETTING,
            liquidity=MAKER,
            account=Account(part.counterparty, part.subaccount),
            other=account,
            delta=part.size,
            price=part.price,
            fee=0,
            word=part.position,
        )
    _print(rows, block, event, state, id_=id_, kind=kind, lots=-event.size, price=event.price)
    rows.put(schema.market_states, state)


def _move(
    rows: Rows,
    block: Block,
    event: Event,
    state: Row,
    *,
    id_: str,
    kind: str,
    liquidity: str,
    account: Account,
    other: Account,
    delta: int,
    price: int,
    fee: int | None,
    word: PositionWord,
    fee_ppm: int = 0,
    order_id: bytes | None = None,
) -> Moved:
    """One side: its position, its row, and what it does to the market's open interest."""
    ends_badly = kind in (LIQUIDATED, DELEVERAGED)
    moved = move(rows, block, account, state, delta=delta, price=price, fee=fee, word=word, liquidated=ends_badly)
    if moved.ended is not None and moved.funding:
        g_long, g_short = indices(state, block)
        key = {"owner": account.owner, "subaccount": account.subaccount, "market": state["market"]}
        held = {**key, "exposures": moved.ended, "size": moved.size_before}
        pay(rows, block, event, state, held, amount=moved.funding, g=g_long if moved.size_before > 0 else g_short)
    state["open_interest"] += max(moved.size_after, 0) - max(moved.size_before, 0)
    lots = abs(delta)
    traded(rows, block, account, volume=lots * price, fee=moved.fee)
    where = event.where
    # Written out, like the line of the tape: these two are most of all rows.
    rows.add(
        schema.fills,
        {
            "block_number": block.number,
            "log_index": where.log_index,
            "time_s": block.time_s,
            "transaction_hash": where.transaction_hash,
            "liquidity": liquidity,
            "id": id_,
            "owner": account.owner,
            "subaccount": account.subaccount,
            "counterparty": other.owner,
            "counterparty_subaccount": other.subaccount,
            "size_before": moved.size_before,
            "size_after": moved.size_after,
            "sum_open_before": moved.sum_open_before,
            "open_notional_before": moved.open_notional_before,
            "realised": moved.realised,
            "market": state["market"],
            "side": BUY if delta > 0 else SELL,
            "type": kind,
            "size": lots,
            "price": price,
            "fee": moved.fee,
            "fee_ppm": fee_ppm,
            "order_id": None if order_id is None else hex_of(order_id),
        },
    )
    return moved


def _print(rows: Rows, block: Block, event: Event, state: Row, *, id_: str, kind: str, lots: int, price: int) -> None:
    """A line of the tape; `lots` are the taker's, signed."""
    where = event.where
    rows.add(
        schema.trades,
        {
            "block_number": block.number,
            "log_index": where.log_index,
            "time_s": block.time_s,
            "transaction_hash": where.transaction_hash,
            "id": id_,
            "market": state["market"],
            "side": BUY if lots > 0 else SELL,
            "type": kind,
            "size": abs(lots),
            "price": price,
            "open_interest": state["open_interest"],
        },
    )


def _liquidation(
    rows: Rows,
    block: Block,
    event: Event,
    account: Account,
    liquidator: Account,
    *,
    market: int,
    size: int,
    fee: int,
    covered: int = 0,
    price: int,
) -> None:
    rows.add(
        schema.liquidations,
        fact(
            block,
            event,
            owner=account.owner,
            subaccount=account.subaccount,
            liquidator=liquidator.owner,
            liquidator_subaccount=liquidator.subaccount,
            market=market,
            size=size,
            price=price,
            insurance_fee=fee,
            covered=covered,
        ),
    )


def _id_of(event: Event) -> str:
    """The public id of what is no fill of the book."""
    return f"{event.where.transaction_hash}-{event.where.log_index}"


def _count_for_funding(state: Row, event: events.Fill, share_ppm: int) -> None:
    """Add to the sums of the running hour what the contract adds."""
    detail = event.detail
    if funding.counts(detail.taker_fee_ppm, detail.maker_fee_ppm, event.taker, event.maker, share_ppm):
        state["volume_sum"] += detail.size
        state["premium_sum"] += detail.size * funding.premium(detail.price, state["index_price"])
