# SPDX-License-Identifier: Apache-2.0
"""What a client must know before it can sign: `GET /v4/config`, or the same from a deployment record.

The answer decides which contracts a signature is valid for. A program that does not trust the server it talks to passes
its own `ClientConfig` (from a deployment record it has checked) instead of letting the client ask.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from ouro.eip712 import Domain
from ouro.markets import Market, MarketState


class Contracts(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the contracts (checksummed hex)."""

    exchange: str
    vault: str
    oracle: str = ""
    usdc: str = ""


class MarketParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A market as the deployment record writes it (units as in the protocol: lots, micro-USDC per lot, ppm)."""

    id: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int
    imf_ppm: int
    mmf_ppm: int
    band_ppm: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor_ppm: int
    state: int

    def market(self) -> Market:
        return Market(
            id=self.id,
            ticker=self.ticker,
            size_decimals=self.size_decimals,
            price_decimals=self.price_decimals,
            tick=self.tick,
            imf_ppm=self.imf_ppm,
            mmf_ppm=self.mmf_ppm,
            band_ppm=self.band_ppm,
            max_open_interest=self.max_open_interest,
            max_price_age_s=self.max_price_age,
            liquidation_floor_ppm=self.liquidation_floor_ppm,
            state=MarketState(self.state),
        )


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel", dict=True):
    """Chain, contracts, markets and time limits of one exchange. Windows and delays are seconds."""

    chain_id: int
    contracts: Contracts
    markets: tuple[MarketParameters, ...]
    settle_window: int
    withdrawal_delay: int = 0
    operator: str = ""
    relayer_url: str = ""
    rpc_url: str = ""

    @classmethod
    def from_record(cls, record: Any) -> ClientConfig:
        """From decoded JSON: the answer of `/v4/config` or a deployment record. Raises `msgspec.ValidationError`."""
        return msgspec.convert(record, cls)

    def order_domain(self) -> Domain:
        """The EIP-712 domain of orders and cancels."""
        return Domain(chain_id=self.chain_id, verifying_contract=self.contracts.exchange)

    def vault_domain(self) -> Domain:
        """The EIP-712 domain of withdrawals."""
        return Domain(chain_id=self.chain_id, verifying_contract=self.contracts.vault)

    @cached_property
    def _by_ticker(self) -> dict[str, Market]:
        return {entry.ticker: entry.market() for entry in self.markets}

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(entry.ticker for entry in self.markets)

    def market(self, ticker: str) -> Market:
        """The market called `ticker`, whatever its case. Raises `ValueError` naming those that exist."""
        found = self._by_ticker.get(ticker.upper())
        if found is None:
            raise ValueError(f"no market is called {ticker!r}; there are: {', '.join(self.tickers)}")
        return found
