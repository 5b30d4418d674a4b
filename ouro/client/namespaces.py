# SPDX-License-Identifier: Apache-2.0
"""What clients offer, by subject: `markets`, `account`, `orders`, `chain`. One list serves both kinds of client.

A `Method` turns a flow into a method: of a blocking client it gives the result, of an asynchronous one a coroutine.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from ouro.client import (
    account_reads,
    amends,
    building,
    cancelling,
    composed,
    contracts,
    event_reads,
    market_reads,
    money,
    order_reads,
    parts,
    placing,
    session_keys,
)
from ouro.client.calls import Flow
from ouro.client.modes import Awaited, Blocking, Namespace
from ouro.client.session import Session

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K")


class Method(Generic[P, R]):
    """A flow as a method of a namespace."""

    def __init__(self, flow: Callable[Concatenate[Session, P], Flow[R]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Method[P, R]: ...
    @overload
    def __get__(self, instance: Namespace[Blocking], owner: Any) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: Namespace[Awaited], owner: Any) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: Namespace[Any] | None, owner: Any) -> Any:
        if instance is None:
            return self
        client, flow = instance._client, self.flow

        @functools.wraps(flow)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(flow(client.session, *args, **kwargs))

        method.__signature__ = self.signature()  # type: ignore[attr-defined]
        return method

    def signature(self) -> inspect.Signature:
        """The flow's parameters without the session, and its result instead of the generator."""
        signature = inspect.signature(self.flow)
        _, *others = signature.parameters.values()
        result = str(signature.return_annotation).removeprefix("Flow[").removesuffix("]")
        return signature.replace(parameters=others, return_annotation=result)


class Markets(Namespace[K]):
    """Markets, books, tape and candles; no signer needed."""

    list = Method(market_reads.list_markets)
    get = Method(market_reads.get_market)
    book = Method(market_reads.book)
    trades = Method(market_reads.trades)
    candles = Method(market_reads.candles)
    historical_funding = Method(market_reads.historical_funding)


class AccountReads(Namespace[K]):
    """What an account holds and did: the client's own, or with `address=` anybody's."""

    subaccount = Method(account_reads.subaccount)
    subaccounts = Method(account_reads.subaccounts)
    positions = Method(account_reads.positions)
    fills = Method(account_reads.fills)
    transfers = Method(account_reads.transfers)
    funding_payments = Method(account_reads.funding_payments)
    profit_history = Method(account_reads.profit_history)
    session_keys = Method(account_reads.session_keys)
    referrers = Method(account_reads.referrers)
    close_requests = Method(account_reads.close_requests)
    withdrawals = Method(account_reads.withdrawals)


class Orders(Namespace[K]):
    """Orders. `build_...` signs one without sending it, `submit` sends it, `place_...` does both."""

    list = Method(order_reads.list_orders)
    get = Method(order_reads.get_order)
    read_proof = Method(order_reads.read_proof)

    place_limit_order = Method(placing.place_limit_order)
    place_market_order = Method(placing.place_market_order)
    place_stop_limit = Method(placing.place_stop_limit)
    place_stop_market = Method(placing.place_stop_market)
    place_take_profit_limit = Method(placing.place_take_profit_limit)
    place_take_profit_market = Method(placing.place_take_profit_market)
    place_bracket = Method(composed.place_bracket)
    place_trailing_stop = Method(composed.place_trailing_stop)
    place_twap = Method(parts.place_twap)
    place_scaled = Method(parts.place_scaled)
    close_position = Method(placing.close_position)
    wait_for_fill = Method(placing.wait_for_fill)

    build_limit_order = Method(building.build_limit_order)
    build_market_order = Method(building.build_market_order)
    build_stop_limit = Method(building.build_stop_limit)
    build_stop_market = Method(building.build_stop_market)
    build_take_profit_limit = Method(building.build_take_profit_limit)
    build_take_profit_market = Method(building.build_take_profit_market)
    submit = Method(placing.submit)
    submit_batch = Method(placing.submit_batch)
    build_amend = Method(amends.build_amend)
    submit_amend = Method(amends.submit_amend)
    verify = Method(placing.verify)

    cancel = Method(cancelling.cancel)
    cancel_by_client_id = Method(cancelling.cancel_by_client_id)
    cancel_batch = Method(cancelling.cancel_batch)
    cancel_all = Method(cancelling.cancel_all)
    cancel_all_after = Method(cancelling.cancel_all_after)


class Chain(Namespace[K]):
    """One's own transactions: money, session keys, referrers, and cancels that bind everyone; what contracts logged."""

    wallet_usdc = Method(money.wallet_usdc)
    faucet = Method(money.faucet)
    deposit = Method(money.deposit)
    wait_until_seen = Method(money.wait_until_seen)

    withdraw = Method(money.withdraw)
    sign_withdrawal = Method(money.sign_withdrawal)
    request_cosignature = Method(money.request_cosignature)
    withdraw_signed = Method(money.withdraw_signed)
    transfer = Method(money.transfer)

    request_withdrawal = Method(money.request_withdrawal)
    withdrawal_request = Method(money.withdrawal_request)
    execute_withdrawal = Method(money.execute_withdrawal)
    cancel_withdrawal = Method(money.cancel_withdrawal)
    approve_withdrawal = Method(money.approve_withdrawal)
    withdrawal_rules = Method(money.withdrawal_rules)
    set_withdrawal_rules = Method(money.set_withdrawal_rules)

    request_close = Method(money.request_close)
    cancel_slot = Method(money.cancel_slot)
    cancel_all_orders = Method(money.cancel_all_orders)

    register_session_key = Method(session_keys.register_session_key)
    sign_session_key = Method(session_keys.sign_session_key)
    submit_session_key = Method(session_keys.submit_session_key)
    session_key_scope = Method(session_keys.session_key_scope)
    revoke_session_key = Method(session_keys.revoke_session_key)

    register_referrer = Method(money.register_referrer)
    claim_referral = Method(money.claim_referral)

    events = Method(event_reads.events)
    call = Method(contracts.call)
    send = Method(contracts.send)


class Exchange(Namespace[K]):
    """The exchange itself; these are methods of the client."""

    config = Method(market_reads.config)
    time = Method(market_reads.time)
    height = Method(market_reads.height)
