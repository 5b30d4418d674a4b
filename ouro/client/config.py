# SPDX-License-Identifier: Apache-2.0
"""What a client must know before it can sign: `GET /v4/config`, or the same from a deployment record.

The answer decides which contracts a signature is valid for. A program that does not trust the server it talks to passes
its own `ClientConfig` (from a deployment record it has checked) instead of letting the client ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import to_checksum_address

from ouro.deployment import Contracts, Deployment, DeploymentError
from ouro.eip712 import Domain
from ouro.markets import Market


@dataclass(frozen=True)
class ClientConfig:
    """One exchange: its deployment, the relayer's own address, the node it offers; `record` is the JSON it came as."""

    deployment: Deployment
    relayer_url: str = ""
    rpc_url: str = ""
    record: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ClientConfig:
        """From decoded JSON: the answer of `/v4/config` or a deployment record. Raises `DeploymentError`."""
        try:
            return cls(
                Deployment.from_record(record), record.get("relayerUrl") or "", record.get("rpcUrl") or "", record
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise DeploymentError(f"the deployment record has another shape: {error}") from error

    @property
    def chain_id(self) -> int:
        return self.deployment.chain_id

    @property
    def contracts(self) -> Contracts:
        return self.deployment.contracts

    @property
    def settle_window(self) -> int:
        """Seconds between the end of matching and the signed expiry."""
        return self.deployment.settle_window

    def order_domain(self) -> Domain:
        """The EIP-712 domain of orders and cancels."""
        return self.deployment.domain()

    def vault_domain(self) -> Domain:
        """The EIP-712 domain of withdrawals."""
        return self.deployment.vault_domain()

    @property
    def receipt_signer(self) -> str:
        """Who signs receipts: the operator unless another address is announced. Raises `DeploymentError`."""
        address = self.record.get("receiptSigner") or self.deployment.operator
        try:
            return to_checksum_address(address)
        except (TypeError, ValueError):
            raise DeploymentError(f"the announced receiptSigner {address!r} is not an address") from None

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(market.ticker for market in self.deployment.markets)

    def market(self, ticker: str) -> Market:
        """The market called `ticker`, whatever its case. Raises `ValueError` naming those that exist."""
        for market in self.deployment.markets:
            if market.ticker == ticker.upper():
                return market
        raise ValueError(f"no market is called {ticker!r}; there are: {', '.join(self.tickers)}")
