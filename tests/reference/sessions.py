# SPDX-License-Identifier: AGPL-3.0-only
"""Session keys: who may sign an account's orders beside its owner (protocol section 3)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

MAX_LIFE_S = 365 * 86_400
MAX_MARKETS = 4
MAX_NONCE = MAX_BUDGET = 2**64 - 1


@dataclass(frozen=True)
class Key:
    """`budget` is what is left of it, micro-USDC; `revoked_at` when a revocation takes effect; no markets: all."""

    expiry: int
    budget: int
    markets: tuple[int, ...]
    revoked_at: int | None = None

    def faults(self, market: int, notional: int, now: int) -> Iterator[str]:
        """Why it may not sign for a fill of this notional now."""
        if now > self.expiry:
            yield "key expired"
        if self.revoked_at is not None and now >= self.revoked_at:
            yield "key revoked"
        if self.markets and market not in self.markets:
            yield "key market"
        if notional > self.budget:
            yield "key budget"

    def spent(self, notional: int) -> "Key":
        return replace(self, budget=self.budget - notional)


@dataclass
class Keys:
    """All keys ever registered, by account and key; none is forgotten. `ValueError` says why something is refused."""

    keys: dict[tuple[str, str], Key] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def register(self, account: str, key: str, terms: Key, nonce: int, now: int) -> None:
        if key == account or int(key, 16) == 0:
            raise ValueError("bad key")
        if (account, key) in self.keys:
            raise ValueError("key is known")
        if not now < terms.expiry <= now + MAX_LIFE_S:
            raise ValueError("bad expiry")
        if not self.nonces[account] < nonce <= MAX_NONCE:
            raise ValueError("nonce does not increase")
        if not 0 <= terms.budget <= MAX_BUDGET or len(terms.markets) > MAX_MARKETS:
            raise ValueError("bad terms")
        self.nonces[account] = nonce
        self.keys[account, key] = terms

    def revoke(self, account: str, key: str, by: str, now: int, window: int) -> int:
        """When it takes effect."""
        known = self.keys.get((account, key))
        if by not in (account, key):
            raise ValueError("neither the owner nor the key")
        if known is None or known.revoked_at is not None:
            raise ValueError("unknown or revoked")
        self.keys[account, key] = replace(known, revoked_at=now + window)
        return now + window

    def faults(self, account: str, signer: str, market: int, notional: int, now: int) -> Iterator[str]:
        """Why an order of `account` that `signer` signed cannot have such a fill."""
        if signer == account:
            return
        known = self.keys.get((account, signer))
        if known is None:
            yield "bad signature"
        else:
            yield from known.faults(market, notional, now)

    def spend(self, account: str, signer: str, notional: int) -> None:
        if signer != account:
            self.keys[account, signer] = self.keys[account, signer].spent(notional)
