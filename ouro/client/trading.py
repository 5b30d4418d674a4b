# SPDX-License-Identifier: Apache-2.0
"""Flows that sign: placing, cancelling, checking orders, and asking for a withdrawal's co-signature.

An order's id is the EIP-712 hash that is signed, so it is known before anything is sent: after a broken connection,
`order(id)` tells whether the order arrived.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

import msgspec

from ouro import eip712
from ouro.client.calls import Call, Flow, one
from ouro.client.clock import random_client_id
from ouro.client.errors import ConflictError, SlotTakenError
from ouro.client.models import Acknowledged, Cosignature, PlacedOrder, Verification
from ouro.client.reads import book, market_record
from ouro.client.session import Session
from ouro.markets import Market
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger
from ouro.units import PPM, usdc

DEFAULT_MAX_FEE_PPM = 500
"""The highest fee signed unless the caller says otherwise: 0.05% of notional."""

DEFAULT_LIFETIME_S = 28 * 86_400
"""How long a resting order is shown as valid unless the caller says otherwise."""

ONE_SHOT_LIFETIME_S = 30
"""How long an immediate order is valid: it matches at once or never."""

MAX_LIFETIME_S = 90 * 86_400
"""The protocol's limit between signing and signed expiry."""

COSIGNATURE_LIFETIME_S = 300
"""How long a signed instant withdrawal may be executed unless the caller says otherwise."""

_ATTEMPTS = 5


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


@dataclass(frozen=True)
class Withdrawal:
    """A signed instant withdrawal: `amount` in micro-USDC, `deadline` in seconds since 1970, the owner's signature."""

    account: str
    subaccount: int
    amount: int
    to: str
    nonce: int
    deadline: int
    signature: str = ""

    def message(self) -> dict[str, Any]:
        """The EIP-712 message `Withdrawal`."""
        return {
            "account": self.account,
            "subaccount": self.subaccount,
            "amount": self.amount,
            "to": self.to,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }


def build_limit_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Decimal | str | int,
    price: Decimal | str | int,
    *,
    time_in_force: TimeInForce | str = TimeInForce.GTT,
    post_only: bool = False,
    reduce_only: bool = False,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
    self_trade: SelfTrade | str = SelfTrade.CANCEL_TAKER,
    referrer: int = 0,
    oco: str = "",
) -> Flow[SignedOrder]:
    """Sign a limit order without sending it: `size` in the base asset, `price` in USDC, both human decimals.

    `self_trade` says what happens when it meets an own order, `referrer` is the number of who gets a share of its fees.
    Of orders with one `oco` name one cancels the others. The signed expiry is the shown one plus the settlement window.
    Raises `ValueError` for a size that is not whole lots, a price that is not on the tick, or an unknown market.
    """
    config = yield from session.config()
    listed = config.market(market)
    price_units = listed.price_units(decimal_of(price, "price"))
    if price_units % listed.tick:
        raise ValueError(f"the price of {listed.ticker} moves in steps of {format(listed.price(listed.tick), 'f')}")
    return sign_order(
        session,
        config.order_domain(),
        listed,
        Side(side.upper()),
        listed.lots(decimal_of(size, "size")),
        price_units,
        TimeInForce(time_in_force.upper()),
        settle_window=config.settle_window,
        post_only=post_only,
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
        self_trade=SelfTrade(self_trade.upper()),
        referrer=referrer,
        conditions=Conditions(oco=oco),
    )


def build_market_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Decimal | str | int,
    max_slippage: Decimal | str = "0.01",
    *,
    reduce_only: bool = False,
    subaccount: int = 0,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[SignedOrder]:
    """Sign a market order without sending it: immediate-or-cancel with a worst price.

    The worst price is `max_slippage` (a fraction, `0.01` is 1%) away from the best opposite price of the book, or from
    the index price when that side is empty, rounded to the tick so that it is never worse than asked, and within the
    price band around the index price.
    """
    config = yield from session.config()
    listed = config.market(market)
    wanted = Side(side.upper())
    levels = yield from book(session, listed.ticker)
    opposite = levels.asks if wanted is Side.BUY else levels.bids
    index_price = (yield from market_record(session, listed.ticker)).oracle_price
    if index_price is None:
        raise ValueError(f"{listed.ticker} has no index price yet, so nothing can trade there")
    reference = opposite[0].price if opposite else index_price
    return sign_order(
        session,
        config.order_domain(),
        listed,
        wanted,
        listed.lots(decimal_of(size, "size")),
        worst_price(listed, wanted, reference, decimal_of(max_slippage, "max_slippage"), index_price),
        TimeInForce.IOC,
        settle_window=config.settle_window,
        reduce_only=reduce_only,
        subaccount=subaccount,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )


def sign_order(
    session: Session,
    domain: eip712.Domain,
    market: Market,
    side: Side,
    lots: int,
    price_units: int,
    time_in_force: TimeInForce,
    *,
    settle_window: int,
    post_only: bool = False,
    reduce_only: bool = False,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
    trigger: Trigger = Trigger.NONE,
    trigger_price: int = 0,
    self_trade: SelfTrade = SelfTrade.CANCEL_TAKER,
    referrer: int = 0,
    conditions: Conditions = NO_CONDITIONS,
) -> SignedOrder:
    """Complete and sign an order given in lots and price units: slot, generation, settlement window."""
    one_shot = time_in_force is not TimeInForce.GTT
    if expires_in_seconds is None:
        expires_in_seconds = ONE_SHOT_LIFETIME_S if one_shot else DEFAULT_LIFETIME_S
    if not 0 < expires_in_seconds <= MAX_LIFETIME_S - settle_window:
        raise ValueError(f"an order lives between 1 and {MAX_LIFETIME_S - settle_window} seconds")
    if slot is None:
        slot = 0 if one_shot else session.slots.draw()
    generation = session.clock.next()
    order = Order(
        market=market.ticker,
        side=side,
        size=lots,
        limit_price=price_units,
        time_in_force=time_in_force,
        post_only=post_only,
        reduce_only=reduce_only,
        trigger=trigger,
        trigger_price=trigger_price,
        max_fee_ppm=max_fee_ppm,
        expiry=generation // 1000 + expires_in_seconds + settle_window,
        account=session.address,
        subaccount=subaccount,
        self_trade=self_trade,
        slot=slot,
        generation=generation,
        revision=0,
        referrer=referrer,
    )
    return sign_message(session, domain, order, random_client_id() if client_id is None else client_id, conditions)


def sign_message(
    session: Session, domain: eip712.Domain, order: Order, client_id: str, conditions: Conditions = NO_CONDITIONS
) -> SignedOrder:
    """Sign a complete order as it is."""
    digest = eip712.order_digest(domain, order)
    return SignedOrder(order, session.sign_digest(digest), "0x" + digest.hex(), client_id, conditions)


def submit(session: Session, signed: SignedOrder) -> Flow[PlacedOrder]:
    """Send a signed order. Sending the same one again is harmless: the exchange knows it by its id."""
    config = yield from session.config()
    placed = yield from one(Call("POST", "/v4/orders", PlacedOrder, body=signed.body()))
    # The relayer counts lots, people the base asset.
    return msgspec.structs.replace(placed, filled=config.market(signed.order.market).size(int(placed.filled)))


def place_limit_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Decimal | str | int,
    price: Decimal | str | int,
    *,
    time_in_force: TimeInForce | str = TimeInForce.GTT,
    post_only: bool = False,
    reduce_only: bool = False,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    self_trade: SelfTrade | str = SelfTrade.CANCEL_TAKER,
    referrer: int = 0,
    oco: str = "",
) -> Flow[PlacedOrder]:
    """Sign and send a limit order. Takes another order slot by itself when the drawn one is in use.

    Raises `ValueError` as `build_limit_order` does, `RefusedError` when the exchange says no.
    """
    slot: int | None = None
    for attempt in range(_ATTEMPTS):
        signed = yield from build_limit_order(
            session,
            market,
            side,
            size,
            price,
            time_in_force=time_in_force,
            post_only=post_only,
            reduce_only=reduce_only,
            subaccount=subaccount,
            expires_in_seconds=expires_in_seconds,
            client_id=client_id,
            max_fee_ppm=max_fee_ppm,
            slot=slot,
            self_trade=self_trade,
            referrer=referrer,
            oco=oco,
        )
        try:
            return (yield from submit(session, signed))
        except SlotTakenError as refused:
            if attempt + 1 == _ATTEMPTS:
                raise
            slot = session.slots.draw(refused.free_slots)
    raise AssertionError("unreachable: the last attempt returns or raises")


def place_market_order(
    session: Session,
    market: str,
    side: Side | str,
    size: Decimal | str | int,
    max_slippage: Decimal | str = "0.01",
    *,
    reduce_only: bool = False,
    subaccount: int = 0,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[PlacedOrder]:
    """Sign and send a market order (immediate-or-cancel, see `build_market_order` for its worst price)."""
    signed = yield from build_market_order(
        session,
        market,
        side,
        size,
        max_slippage,
        reduce_only=reduce_only,
        subaccount=subaccount,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )
    return (yield from submit(session, signed))


def verify_order(_session: Session, signed: SignedOrder) -> Flow[Verification]:
    """Ask the exchange whom it recovers from the signature and which digest it expects. Places nothing."""
    return (yield from one(Call("POST", "/v4/orders/verify", Verification, body=signed.signed_body())))


def cancel(session: Session, order_id: str, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel one resting order at the relayer. Binds an honest operator; `Chain.cancel_slot` binds everyone."""
    message = {"account": session.address, "subaccount": subaccount, "orderId": order_id}
    return (yield from _signed_command(session, "DELETE", f"/v4/orders/{order_id}", "cancel", "CancelOrder", message))


def cancel_by_client_id(session: Session, client_id: str, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel the order that has this client id, as `cancel` does."""
    message = {"account": session.address, "subaccount": subaccount, "clientId": client_id}
    key, primary_type = "cancelByClientId", "CancelByClientId"
    return (yield from _signed_command(session, "DELETE", "/v4/orders", key, primary_type, message))


def cancel_all(session: Session, market: str | None = None, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel every resting order of a subaccount, or those in one market."""
    ticker = ""
    if market:
        config = yield from session.config()
        ticker = config.market(market).ticker
    message = {"account": session.address, "subaccount": subaccount, "market": ticker}
    return (yield from _signed_command(session, "DELETE", "/v4/orders", "cancelAll", "CancelAll", message))


def cancel_all_after(session: Session, timeout_seconds: int, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Arm a dead man's switch: every order is cancelled after `timeout_seconds` unless armed again; 0 disarms."""
    message = {"account": session.address, "subaccount": subaccount, "timeoutSeconds": timeout_seconds}
    path = "/v4/orders/cancelAllAfter"
    return (yield from _signed_command(session, "POST", path, "cancelAllAfter", "CancelAllAfter", message))


def sign_withdrawal(
    session: Session,
    amount: Decimal | str | int,
    *,
    to: str | None = None,
    subaccount: int = 0,
    expires_in_seconds: int = COSIGNATURE_LIFETIME_S,
) -> Flow[Withdrawal]:
    """Sign an instant withdrawal of `amount` USDC (human) to `to`, the account itself unless said otherwise."""
    config = yield from session.config()
    now_ms = session.clock.next()
    withdrawal = Withdrawal(
        account=session.address,
        subaccount=subaccount,
        amount=usdc(decimal_of(amount, "amount")),
        to=session.address_or(to),
        nonce=now_ms * 1000 + secrets.randbelow(1000),
        deadline=now_ms // 1000 + expires_in_seconds,
    )
    signature = session.sign(config.vault_domain(), "Withdrawal", withdrawal.message())
    return Withdrawal(**withdrawal.message(), signature=signature)


def request_cosignature(_session: Session, withdrawal: Withdrawal) -> Flow[Cosignature]:
    """Ask the operator to co-sign; the relayer reserves the amount. Hand the result to `Chain.withdraw_signed`."""
    body = {"withdrawal": withdrawal.message(), "signature": withdrawal.signature}
    return (yield from one(Call("POST", "/v4/withdrawals", Cosignature, body=body)))


def worst_price(market: Market, side: Side, reference: Decimal, slippage: Decimal, index_price: Decimal) -> int:
    """The limit of a market order in price units: `slippage` (a fraction) from `reference`, on the tick.

    It stays within the price band around `index_price`: beyond it nothing fills and the exchange takes no order.
    """
    if not 0 <= slippage < 1:
        raise ValueError("max_slippage is a fraction between 0 and 1, such as 0.01 for 1%")
    band = Decimal(market.band_ppm) / PPM
    if side is Side.BUY:
        most = min(reference * (1 + slippage), index_price * (1 + band)).scaleb(market.price_decimals)
        return market.floor_to_tick(int(most.to_integral_value(ROUND_FLOOR)))
    least = max(reference * (1 - slippage), index_price * (1 - band)).scaleb(market.price_decimals)
    return market.ceil_to_tick(int(least.to_integral_value(ROUND_CEILING)))


def decimal_of(value: Decimal | str | int, name: str) -> Decimal:
    """`value` as an exact decimal. Raises `ValueError` naming the parameter; floats are refused, they are not exact."""
    if isinstance(value, float):
        raise ValueError(f"{name} is a float; pass a string or a Decimal, which are exact")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} {value!r} is not a decimal number") from None
    if not number.is_finite():
        raise ValueError(f"{name} {value!r} is not a finite number")
    return number


def _signed_command(
    session: Session, method: str, path: str, key: str, primary_type: str, message: dict[str, Any]
) -> Flow[Acknowledged]:
    """Sign and send a relayer command; takes a newer nonce when another process with the same key was ahead."""
    config = yield from session.config()
    for attempt in range(_ATTEMPTS):
        numbered = {**message, "nonce": session.clock.next()}
        signature = session.sign(config.order_domain(), primary_type, numbered)
        call = Call(method, path, Acknowledged, body={key: numbered, "signature": signature})
        try:
            return (yield from one(call))
        except ConflictError as refused:
            if refused.error_code != "stale_nonce" or attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
