# SPDX-License-Identifier: Apache-2.0
"""Single orders, signed and not sent. An order's id is the EIP-712 hash that is signed: known before it is sent.

Stops and take-profits have a signed trigger: the contract asks it again when a fill settles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from ouro import eip712
from ouro.client.account_reads import session_keys
from ouro.client.amounts import Amount, beyond, lots_of, price_of, side_of, within_band
from ouro.client.calls import Flow
from ouro.client.clock import random_client_id
from ouro.client.config import ClientConfig
from ouro.client.errors import RefusedError
from ouro.client.market_reads import book, get_market
from ouro.client.session import Session
from ouro.markets import Market
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger

DEFAULT_MAX_FEE_PPM = 500
"""The highest fee signed unless the caller says otherwise: 0.05% of notional."""

DEFAULT_LIFETIME_S = 28 * 86_400
"""How long a resting order is shown as valid unless the caller says otherwise."""

ONE_SHOT_LIFETIME_S = 30
"""How long an immediate order is valid: it matches at once or never."""

MAX_LIFETIME_S = 90 * 86_400
"""The protocol's limit between signing and signed expiry."""

DEFAULT_SLIPPAGE = "0.01"
"""How far a market order may go from the best price unless the caller says otherwise."""

DEFAULT_STOP_SLIPPAGE = "0.05"
"""How far beyond its trigger a market stop may be filled unless the caller says otherwise."""


class OrderOptions(TypedDict, total=False):
    """What any order may be given beside its market, side, size and prices; each has a default.

    `reduce_only` (False): only ever reduce the position. `subaccount` (0). `expires_in_seconds`: how long it is shown
    as valid (28 days or to the end of a session key, one-shot orders 30 s); the signed expiry is one settlement window
    later. `client_id`: an own label (random). `max_fee_ppm` (500): the highest fee of any fill. `self_trade`: what
    happens when it meets an own order (CANCEL_TAKER, with a trigger CANCEL_MAKER). `referrer` (0): number of who gets a
    share of its fees. `slot`: the order slot (drawn). `oco` (""): of orders with one name one cancels the others.
    `parent` (""): the id of the order after whose end it becomes live. The last two bind an honest operator only.
    """

    reduce_only: bool
    subaccount: int
    expires_in_seconds: int
    client_id: str
    max_fee_ppm: int
    self_trade: SelfTrade | str
    referrer: int
    slot: int
    oco: str
    parent: str


@dataclass(frozen=True)
class Conditions:
    """What is asked of the relayer beside a signed order. Nobody signs it, so it binds an honest operator only.

    The order becomes live at `not_before_ms` (milliseconds since 1970), after the order `parent` (its id) has ended
    with something filled, and when the index price has reached `arm_price` (micro-USDC per lot; an amend in waiting).
    What an `immediate` order cannot match at once, when it becomes live, is cancelled. Of orders with one `oco` name
    one cancels the others. `replaces` is the id of the order that this one amends.
    """

    immediate: bool = False
    not_before_ms: int = 0
    parent: str = ""
    oco: str = ""
    arm_price: int = 0
    replaces: str = ""

    def fields(self) -> dict[str, Any]:
        """Their part of the body of `POST /v4/orders`."""
        conditions: dict[str, Any] = {
            "notBefore": self.not_before_ms,
            "parent": self.parent,
            "oco": self.oco,
            "armPrice": self.arm_price,
        }
        asked = {name: value for name, value in conditions.items() if value}
        fields: dict[str, Any] = {"conditions": asked} if asked else {}
        if self.immediate:
            fields["immediate"] = True
        if self.replaces:
            fields["replaces"] = self.replaces
        return fields


NO_CONDITIONS = Conditions()


@dataclass(frozen=True)
class SignedOrder:
    """An order with its owner's signature (65 bytes, 0x hex), its id, and what travels with it unsigned."""

    order: Order
    signature: str
    id: str
    client_id: str
    conditions: Conditions = NO_CONDITIONS

    def body(self) -> dict[str, Any]:
        """What `POST /v4/orders` takes."""
        return self.signed_body() | self.conditions.fields()

    def signed_body(self) -> dict[str, Any]:
        """The same without the conditions: what `POST /v4/orders/verify` takes."""
        return {"order": self.order.message(), "signature": self.signature, "clientId": self.client_id}


def build_limit_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    price: Amount,
    *,
    time_in_force: TimeInForce | str = TimeInForce.GTT,
    post_only: bool = False,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a limit order without sending it: `size` in the base asset, `price` in USDC, both human decimals.

    Raises `ValueError` for what cannot be signed: an unknown market, less than a lot, in a strict client what is off
    the tick or not whole lots.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    return (
        yield from sign_order(
            session,
            listed,
            wanted,
            lots_of(session, listed, size),
            price_of(session, listed, wanted, price),
            options,
            time_in_force=TimeInForce(time_in_force.upper()),
            post_only=post_only,
        )
    )


def build_market_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    max_slippage: Amount = DEFAULT_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a market order without sending it: immediate-or-cancel with a worst price.

    The worst price is `max_slippage` (a fraction, `0.01` is 1%) away from the best opposite price of the book, or from
    the index price when that side is empty, rounded to the tick so that it is never worse than asked, and within the
    price band around the index price.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    levels = yield from book(session, listed.ticker)
    opposite = levels.asks if wanted is Side.BUY else levels.bids
    index_price = (yield from get_market(session, listed.ticker)).oracle_price
    if index_price is None:
        raise ValueError(f"{listed.ticker} has no index price yet, so nothing can trade there")
    reference = (opposite[0].price if opposite else index_price).scaleb(listed.price_decimals)
    limit = beyond(listed, wanted, reference, max_slippage)
    limit = within_band(listed, wanted, limit, index_price.scaleb(listed.price_decimals))
    lots = lots_of(session, listed, size)
    return (yield from sign_order(session, listed, wanted, lots, limit, options, time_in_force=TimeInForce.IOC))


def build_stop_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a stop that rests at `price` once triggered: a SELL when the index price is at or below `trigger_price`, a
    BUY when it is at or above. Raises `ValueError` as `build_limit_order` does.
    """
    return (yield from _triggered(session, market, side, size, trigger_price, options, stop=True, price=price))


def build_stop_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Amount = DEFAULT_STOP_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a stop that trades at once when triggered, at worst `max_slippage` (a fraction) beyond `trigger_price`,
    rounded to the tick so that it is never worse; what finds nobody is cancelled.
    """
    return (
        yield from _triggered(session, market, side, size, trigger_price, options, stop=True, slippage=max_slippage)
    )


def build_take_profit_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a take-profit that rests at `price` once triggered: a SELL when the index price is at or above
    `trigger_price`, a BUY when it is at or below.
    """
    return (yield from _triggered(session, market, side, size, trigger_price, options, stop=False, price=price))


def build_take_profit_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Amount = DEFAULT_STOP_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[SignedOrder]:
    """Sign a take-profit that trades at once when triggered, as `build_stop_market` does."""
    return (
        yield from _triggered(session, market, side, size, trigger_price, options, stop=False, slippage=max_slippage)
    )


def trigger_for(side: Side, *, stop: bool) -> Trigger:
    """A stop triggers against the position that an order on `side` closes, a take-profit with it."""
    return Trigger.AT_OR_BELOW if (side is Side.SELL) == stop else Trigger.AT_OR_ABOVE


def _triggered(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    options: OrderOptions,
    *,
    stop: bool,
    price: Amount | None = None,
    slippage: Amount = DEFAULT_STOP_SLIPPAGE,
) -> Flow[SignedOrder]:
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    trigger_units = price_of(session, listed, wanted, trigger_price, "trigger_price")
    if price is None:
        limit = beyond(listed, wanted, trigger_units, slippage)
    else:
        limit = price_of(session, listed, wanted, price)
    return (
        yield from sign_order(
            session,
            listed,
            wanted,
            lots_of(session, listed, size),
            limit,
            options,
            trigger=trigger_for(wanted, stop=stop),
            trigger_price=trigger_units,
            conditions=Conditions(immediate=price is None),
        )
    )


def sign_order(
    session: Session,
    market: Market,
    side: Side,
    lots: int,
    limit: int,
    options: OrderOptions,
    *,
    time_in_force: TimeInForce = TimeInForce.GTT,
    post_only: bool = False,
    trigger: Trigger = Trigger.NONE,
    trigger_price: int = 0,
    conditions: Conditions = NO_CONDITIONS,
) -> Flow[SignedOrder]:
    """Complete and sign an order given in lots and price units: slot, generation, settlement window."""
    unknown = options.keys() - OrderOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"an order has no option {min(unknown)!r}; there are: {', '.join(OrderOptions.__annotations__)}"
        )
    config = yield from session.config()
    one_shot = time_in_force is not TimeInForce.GTT
    lifetime = options.get("expires_in_seconds")
    if lifetime is None:
        lifetime = ONE_SHOT_LIFETIME_S if one_shot else (yield from _default_lifetime(session, config))
    longest = MAX_LIFETIME_S - config.settle_window
    if not 0 < lifetime <= longest:
        raise ValueError(f"an order lives between 1 and {longest} seconds")
    # An exit must not fail because an order of one's own stands in its way.
    self_trade = SelfTrade.CANCEL_TAKER if trigger is Trigger.NONE else SelfTrade.CANCEL_MAKER
    slot = options.get("slot")
    if slot is None:
        slot = 0 if one_shot else session.slots.draw()
    generation = session.clock.next()
    order = Order(
        market=market.ticker,
        side=side,
        size=lots,
        limit_price=limit,
        time_in_force=time_in_force,
        post_only=post_only,
        reduce_only=options.get("reduce_only", False),
        trigger=trigger,
        trigger_price=trigger_price,
        max_fee_ppm=options.get("max_fee_ppm", DEFAULT_MAX_FEE_PPM),
        expiry=generation // 1000 + lifetime + config.settle_window,
        account=session.address,
        subaccount=options.get("subaccount", 0),
        self_trade=SelfTrade(options.get("self_trade", self_trade).upper()),
        slot=slot,
        generation=generation,
        revision=0,
        referrer=options.get("referrer", 0),
    )
    bound = Conditions(
        immediate=conditions.immediate,
        not_before_ms=conditions.not_before_ms,
        parent=options.get("parent", ""),
        oco=options.get("oco", ""),
    )
    client_id = options.get("client_id")
    return (
        yield from sign_message(session, config, order, random_client_id() if client_id is None else client_id, bound)
    )


def _default_lifetime(session: Session, config: ClientConfig) -> Flow[int]:
    """Seconds; what a session key signs must end with the key."""
    if not session.is_by_key:
        return DEFAULT_LIFETIME_S
    if session.key_ends_at is None:
        session.key_ends_at = yield from _key_end(session)
    left = session.key_ends_at - session.clock.next() // 1000 - config.settle_window - 1
    return min(DEFAULT_LIFETIME_S, left) if left > 0 else DEFAULT_LIFETIME_S


def _key_end(session: Session) -> Flow[int]:
    """When the signer's registration ends, as the exchange tells it; 0 when it does not."""
    key = session.require_signer().address
    try:
        registered = yield from session_keys(session)
    except RefusedError:
        return 0
    return next((int(each.expires_at.timestamp()) for each in registered if each.key == key), 0)


def sign_message(
    session: Session, config: ClientConfig, order: Order, client_id: str, conditions: Conditions = NO_CONDITIONS
) -> Flow[SignedOrder]:
    """Sign a complete order as it is."""
    domain: eip712.Domain = config.order_domain()
    signature, order_id = yield from session.sign_order(domain, order)
    return SignedOrder(order, signature, order_id, client_id, conditions)
