# SPDX-License-Identifier: Apache-2.0
"""Session keys: keys that sign orders for an account, within a scope, and nothing else.

key = LocalSigner.create()
owner.chain.register_session_key(key.address, markets=["BTC-USD"], budget="100000", expires_in_seconds=86_400)
bot = OuroClient(signer=key, owner=owner.address)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ouro import addresses
from ouro.client.amounts import Amount, decimal_of
from ouro.client.calls import Flow
from ouro.client.contracts import Sent, call, send
from ouro.client.session import Session
from ouro.codec import unpack_key_markets
from ouro.units import from_micro, usdc

DEFAULT_KEY_LIFETIME_S = 7 * 86_400

MAX_MARKETS = 4


@dataclass(frozen=True)
class SignedSessionKey:
    """What an owner signed: `budget` in micro-USDC, `expiry` in seconds since 1970. Anybody may register it."""

    account: str
    key: str
    markets: tuple[str, ...]
    budget: int
    expiry: int
    nonce: int
    signature: str = ""

    def message(self) -> dict[str, Any]:
        """The EIP-712 message `SessionKey`."""
        return {
            "account": self.account,
            "key": self.key,
            "markets": list(self.markets),
            "budget": self.budget,
            "expiry": self.expiry,
            "nonce": self.nonce,
        }


@dataclass(frozen=True)
class SessionKeyScope:
    """What the contract lets a key sign: until `expires_at`, in `markets` (none: all), for `budget_left` USDC more.
    From `revoked_at` on nothing.
    """

    expires_at: datetime
    budget_left: Decimal
    markets: tuple[str, ...]
    revoked_at: datetime | None


def sign_session_key(
    session: Session,
    key: str,
    *,
    markets: Sequence[str] = (),
    budget: Amount,
    expires_in_seconds: int = DEFAULT_KEY_LIFETIME_S,
) -> Flow[SignedSessionKey]:
    """Sign the registration of a session key without sending it, for somebody else to pay the gas. Parameters are those
    of `register_session_key`.
    """
    config = yield from session.config()
    wanted = yield from _described(session, key, markets, budget, expires_in_seconds)
    signature = yield from session.sign(config.order_domain(), "SessionKey", wanted.message())
    return SignedSessionKey(**(wanted.message() | {"markets": wanted.markets}), signature=signature)


def register_session_key(
    session: Session,
    key: str,
    *,
    markets: Sequence[str] = (),
    budget: Amount,
    expires_in_seconds: int = DEFAULT_KEY_LIFETIME_S,
) -> Flow[Sent]:
    """Let the key of an address sign orders for this account: in `markets` (four tickers at most, none: in all), for
    `budget` USDC of notional over its whole life, for a year at most. A key is registered once per account for ever.
    """
    wanted = yield from _described(session, key, markets, budget, expires_in_seconds)
    return (yield from submit_session_key(session, wanted))


def submit_session_key(session: Session, signed: SignedSessionKey) -> Flow[Sent]:
    """Register what an owner signed; the client's signer pays the gas."""
    config = yield from session.config()
    ids = [config.market(ticker).id for ticker in signed.markets]
    terms = (signed.account, signed.key, ids, signed.budget, signed.expiry, signed.nonce)
    signature = bytes.fromhex(signed.signature.removeprefix("0x"))
    return (yield from send(session, "Exchange", "register_session_key", *terms, signature))


def revoke_session_key(session: Session, key: str, *, address: str | None = None) -> Flow[Sent]:
    """End a session key, one settlement window from now. By the account, or by the key itself."""
    account = session.address_or(address)
    return (yield from send(session, "Exchange", "revoke_session_key", account, addresses.parse(key)))


def session_key_scope(session: Session, key: str, *, address: str | None = None) -> Flow[SessionKeyScope | None]:
    """What is left of a key's scope; None when it was never registered for the account."""
    config = yield from session.config()
    account = session.address_or(address)
    expiry, revoked_at, budget, packed = yield from call(
        session, "Exchange", "session_key", account, addresses.parse(key)
    )
    if not expiry:
        return None
    tickers = {market.id: market.ticker for market in config.deployment.markets}
    return SessionKeyScope(
        datetime.fromtimestamp(expiry, UTC),
        from_micro(budget),
        tuple(tickers.get(number, str(number)) for number in unpack_key_markets(packed)),
        datetime.fromtimestamp(revoked_at, UTC) if revoked_at else None,
    )


def _described(
    session: Session, key: str, markets: Sequence[str], budget: Amount, expires_in_seconds: int
) -> Flow[SignedSessionKey]:
    config = yield from session.config()
    if len(markets) > MAX_MARKETS:
        raise ValueError(f"a session key is for {MAX_MARKETS} markets at most, or for all (none named)")
    now_ms = session.clock.next()
    return SignedSessionKey(
        account=session.address,
        key=addresses.parse(key),
        markets=tuple(config.market(ticker).ticker for ticker in markets),
        budget=usdc(decimal_of(budget, "budget")),
        expiry=now_ms // 1000 + expires_in_seconds,
        nonce=now_ms,
    )
