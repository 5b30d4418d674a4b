# SPDX-License-Identifier: Apache-2.0
"""The methods that ccxt.dydx lacks, as flows: one code for the blocking and the asynchronous exchange.

`exchange` is either of them. Types are ccxt's own: dictionaries of its unified structures. Reads wait until they show
the newest write of this exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ouro.client import amends, building, cancelling, placing
from ouro.client.building import OrderOptions, SignedOrder
from ouro.client.calls import Call, Flow, query
from ouro.client.errors import RefusedError
from ouro.client.order_reads import get_order, own_proof
from ouro.reading import HEADER

Json = dict[str, Any]


def create_order(
    exchange: Any,
    symbol: str,
    type: str,  # noqa: A002
    side: str,
    amount: float,
    price: float | None = None,
    params: Mapping[str, Any] | None = None,
) -> Flow[Json]:
    """Place a limit or market order. `params`: postOnly, timeInForce, reduceOnly, clientOrderId, slippage,
    stopLossPrice, triggerPrice (a stop, too), takeProfitPrice, subaccountNumber, any option of the SDK by its own name.
    """
    market = exchange.market(symbol)
    signed = yield from _signed(exchange, market, type, side, amount, price, params)
    [outcome] = yield from placing.place_all(exchange.sdk.session, [signed])
    if isinstance(outcome, RefusedError):
        raise outcome
    _wrote(exchange, outcome.seq)
    known = {"type": type, "side": side, "amount": amount, "price": price}
    return dict(exchange.placed_order(outcome, market, **known))


def create_orders(
    exchange: Any, orders: Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None
) -> Flow[list[Json]]:
    """Place several in one request. One that is refused has status `rejected` and the refusal in `info`."""
    signed: list[SignedOrder] = []
    for order in orders:
        market = exchange.market(order["symbol"])
        own = {**(params or {}), **order.get("params", {})}
        terms = (order["type"], order["side"], order["amount"], order.get("price"))
        signed.append((yield from _signed(exchange, market, *terms, own)))
    outcomes = yield from placing.place_all(exchange.sdk.session, signed)
    answers: list[Json] = []
    for order, outcome in zip(orders, outcomes, strict=True):
        market = exchange.market(order["symbol"])
        known = {name: order.get(name) for name in ("type", "side", "amount", "price")}
        if isinstance(outcome, RefusedError):
            info = {"errorCode": outcome.code, "message": outcome.message}
            refused = {"info": info, "symbol": market["symbol"], "status": "rejected", **known}
            answers.append(dict(exchange.safe_order(refused, market)))
        else:
            _wrote(exchange, outcome.seq)
            answers.append(dict(exchange.placed_order(outcome, market, **known)))
    return answers


def edit_order(
    exchange: Any,
    id: str,  # noqa: A002
    symbol: str,
    type: str,  # noqa: A002
    side: str,
    amount: float | None = None,
    price: float | None = None,
    params: Mapping[str, Any] | None = None,
) -> Flow[Json]:
    """Change an order in one step, or nothing at all; `amount` is the total, what is filled included."""
    session, market = exchange.sdk.session, exchange.market(symbol)
    changes = dict(params or {})
    yield from get_order(session, id, at_seq=exchange.newest_seq)
    newer = yield from amends.build_amend(
        session,
        id,
        size=None if amount is None else _decimal(amount),
        price=None if price is None else _decimal(price),
        post_only=changes.get("postOnly"),
        reduce_only=changes.get("reduceOnly"),
    )
    placed = yield from amends.submit_amend(session, newer)
    _wrote(exchange, placed.seq)
    known = {"type": type, "side": side, "amount": amount, "price": price}
    return dict(exchange.placed_order(placed, market, **known))


def cancel_order(
    exchange: Any,
    id: str,  # noqa: A002
    symbol: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> Flow[Json]:
    """Cancel one order."""
    market = exchange.market(symbol) if symbol else None
    done = yield from cancelling.cancel(exchange.sdk.session, id, subaccount=_subaccount(exchange, params))
    _wrote(exchange, done.seq)
    return dict(exchange.safe_order({"info": {"seq": done.seq}, "id": id, "status": "canceled"}, market))


def cancel_orders(
    exchange: Any, ids: Sequence[str], symbol: str | None = None, params: Mapping[str, Any] | None = None
) -> Flow[list[Json]]:
    """Cancel several in one request; those that were not open any more are left out."""
    market = exchange.market(symbol) if symbol else None
    number = _subaccount(exchange, params)
    outcomes = yield from cancelling.cancel_batch(exchange.sdk.session, ids, subaccount=number)
    for outcome in outcomes:
        if not isinstance(outcome, RefusedError):
            _wrote(exchange, outcome.seq)
    return [
        dict(exchange.safe_order({"info": {"seq": done.seq}, "id": id_, "status": "canceled"}, market))
        for id_, done in zip(ids, outcomes, strict=True)
        if not isinstance(done, RefusedError)
    ]


def cancel_all_orders(
    exchange: Any, symbol: str | None = None, params: Mapping[str, Any] | None = None
) -> Flow[list[Json]]:
    """Cancel every order, or those of one market."""
    market = exchange.market(symbol) if symbol else None
    number, ticker = _subaccount(exchange, params), market["id"] if market else None
    done = yield from cancelling.cancel_all(exchange.sdk.session, ticker, subaccount=number)
    _wrote(exchange, done.seq)
    return [
        dict(exchange.safe_order({"info": {"seq": done.seq}, "id": id_, "status": "canceled"}, market))
        for id_ in done.cancelled
    ]


def cancel_all_orders_after(exchange: Any, timeout: int, params: Mapping[str, Any] | None = None) -> Flow[Json]:
    """Cancel everything in `timeout` milliseconds unless this is called again by then; 0 disarms."""
    number = _subaccount(exchange, params)
    seconds = -(-timeout // 1000)
    done = yield from cancelling.cancel_all_after(exchange.sdk.session, seconds, subaccount=number)
    return {"info": {"seq": done.seq}}


def fetch_order(
    exchange: Any,
    id: str,  # noqa: A002
    symbol: str | None = None,  # noqa: ARG001
    params: Mapping[str, Any] | None = None,  # noqa: ARG001
) -> Flow[Json]:
    """One order; one's own also while it waits for its trigger."""
    proof = yield from _proof(exchange)
    found = yield from _read(f"/v4/orders/{id}", {"atSeq": exchange.newest_seq}, proof)
    return dict(exchange.parse_order(found))


def fetch_orders(
    exchange: Any,
    symbol: str | None = None,
    since: int | None = None,
    limit: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Flow[list[Json]]:
    """One's orders, those that wait included. `params`: status, subaccountNumber."""
    market = exchange.market(symbol) if symbol else None
    asked = _of_account(exchange, market, limit, params)
    asked |= {"status": (params or {}).get("status"), "atSeq": exchange.newest_seq}
    proof = yield from _proof(exchange)
    found = yield from _read("/v4/orders", asked, proof)
    return list(exchange.parse_orders(found, market, since, limit))


def fetch_my_trades(
    exchange: Any,
    symbol: str | None = None,
    since: int | None = None,
    limit: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Flow[list[Json]]:
    """Settled fills, oldest first, with their fees."""
    market = exchange.market(symbol) if symbol else None
    fills = (yield from _read("/v4/fills", _of_account(exchange, market, limit, params)))["fills"]
    trades = exchange.sort_by([exchange.my_trade(fill) for fill in fills], "timestamp")
    return list(exchange.filter_by_since_limit(trades, since, limit, "timestamp"))


def fetch_ticker(exchange: Any, symbol: str, params: Mapping[str, Any] | None = None) -> Flow[Json]:  # noqa: ARG001
    """Best prices, last print, index price and volume of 24 hours."""
    ticker = exchange.market(symbol)["id"]
    records = (yield from _read("/v4/perpetualMarkets", {"ticker": ticker}))["markets"]
    return (yield from _ticker(exchange, records[ticker]))


def fetch_tickers(
    exchange: Any,
    symbols: Sequence[str] | None = None,
    params: Mapping[str, Any] | None = None,  # noqa: ARG001
) -> Flow[dict[str, Json]]:
    """Of all markets or of some, by symbol."""
    found: dict[str, Json] = {}
    for record in (yield from _read("/v4/perpetualMarkets", {}))["markets"].values():
        symbol = exchange.safe_market(record["ticker"])["symbol"]
        if symbols is None or symbol in symbols:
            found[symbol] = yield from _ticker(exchange, record)
    return found


def fetch_funding_rate(exchange: Any, symbol: str, params: Mapping[str, Any] | None = None) -> Flow[Json]:
    """Funding of one market, per hour."""
    return (yield from fetch_funding_rates(exchange, [symbol], params))[exchange.market(symbol)["symbol"]]


def fetch_funding_rates(
    exchange: Any,
    symbols: Sequence[str] | None = None,
    params: Mapping[str, Any] | None = None,  # noqa: ARG001
) -> Flow[dict[str, Json]]:
    """Funding of all markets or of some, per hour, by symbol."""
    records = (yield from _read("/v4/perpetualMarkets", {}))["markets"].values()
    rates = {rate["symbol"]: rate for rate in map(exchange.funding_rate_of, records)}
    return rates if symbols is None else {symbol: rates[symbol] for symbol in symbols}


def fetch_balance(exchange: Any, params: Mapping[str, Any] | None = None) -> Flow[Json]:
    """Equity (total), free collateral (free), and the margin in between (used), in USDC."""
    path = f"/v4/addresses/{exchange.sdk.session.address}/subaccountNumber/{_subaccount(exchange, params)}"
    return dict(exchange.balance_of((yield from _read(path, {}))["subaccount"]))


def _signed(
    exchange: Any,
    market: Mapping[str, Any],
    kind: str,
    side: str,
    amount: float,
    price: float | None,
    params: Mapping[str, Any] | None,
) -> Flow[SignedOrder]:
    """The SDK's order for ccxt's words."""
    rest = dict(params or {})
    session, ticker, size = exchange.sdk.session, market["id"], _decimal(amount)
    slippage = str(rest.pop("slippage", exchange.options["slippage"]))
    stop = rest.pop("stopLossPrice", rest.pop("triggerPrice", None))
    profit = rest.pop("takeProfitPrice", None)
    options = _options(exchange, rest)
    if kind not in ("limit", "market"):
        raise ValueError(f"order type {kind!r} is neither limit nor market")
    if kind == "limit" and price is None:
        raise ValueError("a limit order needs a price")
    limit = None if kind == "market" or price is None else _decimal(price)
    if stop is not None or profit is not None:
        trigger = _decimal(profit if stop is None else stop)
        if limit is None:
            build = building.build_take_profit_market if stop is None else building.build_stop_market
            return (yield from build(session, ticker, side, size, trigger, **options))
        rest_at = building.build_take_profit_limit if stop is None else building.build_stop_limit
        return (yield from rest_at(session, ticker, side, size, trigger, limit, **options))
    if limit is None:
        return (yield from building.build_market_order(session, ticker, side, size, slippage, **options))
    return (
        yield from building.build_limit_order(
            session,
            ticker,
            side,
            size,
            limit,
            time_in_force="GTT" if rest.get("timeInForce") in (None, "GTC", "PO") else rest["timeInForce"],
            post_only=bool(rest.get("postOnly")) or rest.get("timeInForce") == "PO",
            **options,
        )
    )


def _options(exchange: Any, params: dict[str, Any]) -> OrderOptions:
    options: OrderOptions = {"subaccount": _subaccount(exchange, params)}
    for theirs, ours in (("reduceOnly", "reduce_only"), ("clientOrderId", "client_id")):
        if params.get(theirs) is not None:
            options[ours] = params[theirs]  # type: ignore[literal-required]
    for name in OrderOptions.__annotations__:
        if name in params:
            options[name] = params[name]  # type: ignore[literal-required]
    return options


def _ticker(exchange: Any, record: Mapping[str, Any]) -> Flow[Json]:
    ticker = record["ticker"]
    book = yield from _read(f"/v4/orderbooks/perpetualMarket/{ticker}", {})
    trades = (yield from _read(f"/v4/trades/perpetualMarket/{ticker}", {"limit": 1}))["trades"]
    bid, ask = (book[side][0] if book[side] else {} for side in ("bids", "asks"))
    return dict(
        exchange.ticker_of(
            record,
            bid=bid.get("price"),
            bidVolume=bid.get("size"),
            ask=ask.get("price"),
            askVolume=ask.get("size"),
            last=trades[0]["price"] if trades else None,
        )
    )


def _read(path: str, parameters: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Flow[Any]:
    """A read as the wire has it, which is what ccxt parses."""
    answer: Any = yield Call("GET", path, object, query(parameters), headers=headers or {})
    return answer


def _of_account(
    exchange: Any, market: Mapping[str, Any] | None, limit: int | None, params: Mapping[str, Any] | None
) -> Json:
    """What a list of one's own is asked with."""
    return {
        "address": exchange.sdk.session.address,
        "subaccountNumber": _subaccount(exchange, params),
        "ticker": market["id"] if market else None,
        "limit": limit,
    }


def _wrote(exchange: Any, seq: int) -> None:
    exchange.newest_seq = max(exchange.newest_seq or 0, seq)


def _proof(exchange: Any) -> Flow[dict[str, str]]:
    proof = yield from own_proof(exchange.sdk.session)
    return {HEADER: proof} if proof else {}


def _subaccount(exchange: Any, params: Mapping[str, Any] | None) -> int:
    return int((params or {}).get("subaccountNumber", exchange.options["subaccountNumber"]))


def _decimal(number: float | str) -> Decimal:
    """The digits that a float is shown with."""
    return Decimal(str(number))
