# SPDX-License-Identifier: Apache-2.0
"""Reads about accounts: one request each. Lists come newest first; `address` defaults to the client's own account.

`at_seq` (the `seq` of an earlier answer) makes a read wait until that record is applied, so that one reads one's own
writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ouro.client.calls import Call, Flow, one, query
from ouro.client.models import (
    CloseRequest,
    Fill,
    FundingPayment,
    Position,
    Profit,
    QueuedWithdrawal,
    Record,
    Referrer,
    SessionKey,
    Subaccount,
    Transfer,
)
from ouro.client.session import Session


class _Subaccounts(Record, frozen=True):
    subaccounts: list[Subaccount]


class _Subaccount(Record, frozen=True):
    subaccount: Subaccount


class _Positions(Record, frozen=True):
    positions: list[Position]


class _Fills(Record, frozen=True):
    fills: list[Fill]


class _Transfers(Record, frozen=True):
    transfers: list[Transfer]


class _FundingPayments(Record, frozen=True):
    funding_payments: list[FundingPayment]


class _Profit(Record, frozen=True):
    historical_pnl: list[Profit]


class _SessionKeys(Record, frozen=True):
    session_keys: list[SessionKey]


class _Referrers(Record, frozen=True):
    referrers: list[Referrer]


class _CloseRequests(Record, frozen=True):
    close_requests: list[CloseRequest]


class _Withdrawals(Record, frozen=True):
    withdrawals: list[QueuedWithdrawal]


def subaccount(
    session: Session, number: int = 0, *, address: str | None = None, at_seq: int | None = None
) -> Flow[Subaccount]:
    """Equity, free collateral and open positions of one subaccount. Raises `NotFoundError` before its first deposit."""
    path = f"/v4/addresses/{session.address_or(address)}/subaccountNumber/{number}"
    return (yield from one(Call("GET", path, _Subaccount, query({"atSeq": at_seq})))).subaccount


def subaccounts(session: Session, *, address: str | None = None, at_seq: int | None = None) -> Flow[list[Subaccount]]:
    """Every subaccount of an address."""
    path = f"/v4/addresses/{session.address_or(address)}"
    return (yield from one(Call("GET", path, _Subaccounts, query({"atSeq": at_seq})))).subaccounts


def positions(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    status: str | Sequence[str] | None = "OPEN",
    limit: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[Position]]:
    """Positions of a subaccount: open ones unless `status` asks for CLOSED, LIQUIDATED or, with None, all."""
    parameters = query(
        {
            "address": session.address_or(address),
            "subaccountNumber": subaccount,
            "status": status,
            "limit": limit,
            "atSeq": at_seq,
        }
    )
    return (yield from one(Call("GET", "/v4/perpetualPositions", _Positions, parameters))).positions


def fills(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    market: str | None = None,
    limit: int | None = None,
    page: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[Fill]]:
    """Settled fills of a subaccount."""
    parameters = query(
        {
            "address": session.address_or(address),
            "subaccountNumber": subaccount,
            "market": market.upper() if market else None,
            "limit": limit,
            "page": page,
            "atSeq": at_seq,
        }
    )
    return (yield from one(Call("GET", "/v4/fills", _Fills, parameters))).fills


def transfers(
    session: Session, *, address: str | None = None, subaccount: int = 0, limit: int | None = None
) -> Flow[list[Transfer]]:
    """Deposits and withdrawals of a subaccount."""
    parameters = query({"address": session.address_or(address), "subaccountNumber": subaccount, "limit": limit})
    return (yield from one(Call("GET", "/v4/transfers", _Transfers, parameters))).transfers


def funding_payments(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    market: str | None = None,
    limit: int | None = None,
) -> Flow[list[FundingPayment]]:
    """What positions paid (negative) or got for funding."""
    parameters = query(
        {
            "address": session.address_or(address),
            "subaccountNumber": subaccount,
            "ticker": market.upper() if market else None,
            "limit": limit,
        }
    )
    return (yield from one(Call("GET", "/v4/fundingPayments", _FundingPayments, parameters))).funding_payments


def profit_history(
    session: Session, *, address: str | None = None, subaccount: int = 0, limit: int | None = None
) -> Flow[list[Profit]]:
    """Equity and profit at the end of each hour."""
    parameters = query({"address": session.address_or(address), "subaccountNumber": subaccount, "limit": limit})
    return (yield from one(Call("GET", "/v4/historical-pnl", _Profit, parameters))).historical_pnl


def session_keys(session: Session, *, address: str | None = None) -> Flow[list[SessionKey]]:
    """Every session key that the account ever registered, and what is left of its scope."""
    parameters = query({"address": session.address_or(address)})
    return (yield from one(Call("GET", "/v4/sessionKeys", _SessionKeys, parameters))).session_keys


def referrers(session: Session, *, address: str | None = None) -> Flow[list[Referrer]]:
    """The referrer numbers of an account, and what each may claim."""
    parameters = query({"address": session.address_or(address)})
    return (yield from one(Call("GET", "/v4/referrers", _Referrers, parameters))).referrers


def close_requests(session: Session, *, address: str | None = None, subaccount: int = 0) -> Flow[list[CloseRequest]]:
    """Positions whose close without the operator was requested."""
    parameters = query({"address": session.address_or(address), "subaccountNumber": subaccount})
    return (yield from one(Call("GET", "/v4/closeRequests", _CloseRequests, parameters))).close_requests


def withdrawals(session: Session, *, address: str | None = None) -> Flow[list[QueuedWithdrawal]]:
    """Withdrawals of the account in the Vault's queue, those that ended included."""
    parameters = query({"address": session.address_or(address)})
    return (yield from one(Call("GET", "/v4/withdrawals", _Withdrawals, parameters))).withdrawals
