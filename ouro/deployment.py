# SPDX-License-Identifier: Apache-2.0
"""The record of a deployment: addresses, markets, timings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from ouro.eip712 import Domain
from ouro.errors import OuroError
from ouro.markets import Market
from ouro.units import USDC_DECIMALS


class DeploymentError(OuroError):
    """A record that cannot be read."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Checksummed addresses."""

    exchange: str
    vault: str
    oracle: str
    usdc: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where Ouro is on a chain. Times in seconds."""

    chain_id: int
    start_block: int
    settle_window: int
    withdrawal_delay: int
    operator: str
    price_signer: str
    contracts: Contracts
    markets: tuple[Market, ...]
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Every contract of the record by its name there, those of `contracts` included; checksummed."""

    @classmethod
    def load(cls, path: Path | str) -> "Deployment":
        """Read the JSON record that the deploy script wrote. Raises `DeploymentError`."""
        try:
            record = json.loads(Path(path).read_text())
        except FileNotFoundError:
            raise DeploymentError(f"no deployment record at {path}: deploy first, or name another") from None
        except ValueError as error:
            raise DeploymentError(f"{path} is not JSON: {error}") from error
        return cls.from_record(record)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Deployment":
        try:
            return cls(
                chain_id=record["chainId"],
                start_block=record["startBlock"],
                settle_window=record["settleWindow"],
                withdrawal_delay=record["withdrawalDelay"],
                operator=to_checksum_address(record["operator"]),
                price_signer=to_checksum_address(record["priceSigner"]),
                contracts=Contracts(
                    **{name: to_checksum_address(record["contracts"][name]) for name in Contracts.__slots__}
                ),
                markets=tuple(_market(market) for market in record["markets"]),
                addresses={name: to_checksum_address(address) for name, address in record["contracts"].items()},
            )
        except KeyError as error:
            raise DeploymentError(f"the deployment record lacks {error}") from error

    def domain(self) -> Domain:
        """Of orders, cancels and session keys."""
        return Domain(self.chain_id, self.contracts.exchange)

    def vault_domain(self) -> Domain:
        """Of withdrawals."""
        return Domain(self.chain_id, self.contracts.vault)

    def oracle_domain(self) -> Domain:
        """Of pushed prices."""
        return Domain(self.chain_id, self.contracts.oracle, name="Ouro Oracle")

    def market(self, ticker: str) -> Market:
        """Raises `DeploymentError` listing the tickers there are."""
        for market in self.markets:
            if market.ticker == ticker:
                return market
        raise DeploymentError(f"no market {ticker}; there are {', '.join(m.ticker for m in self.markets)}")


def _market(record: Mapping[str, Any]) -> Market:
    if record["sizeDecimals"] + record["priceDecimals"] != USDC_DECIMALS or record["tick"] <= 0:
        raise DeploymentError(f"the units of {record['ticker']} are none that the protocol knows")
    return Market(
        id=record["id"],
        ticker=record["ticker"],
        size_decimals=record["sizeDecimals"],
        price_decimals=record["priceDecimals"],
        tick=record["tick"],
        imf_ppm=record["imfPpm"],
        mmf_ppm=record["mmfPpm"],
        band_ppm=record["bandPpm"],
        max_open_interest=record["maxOpenInterest"],
        max_price_age_s=record["maxPriceAge"],
        liquidation_floor_ppm=record["liquidationFloorPpm"],
        state=record["state"],
    )
