# SPDX-License-Identifier: AGPL-3.0-only
"""The record of a deployment: what services and clients read, and all that `verify` needs.

deployments/README.md lays it out.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scripts._build import ROOT
from scripts._parameters import Market

FOLDER = ROOT / "deployments"
FORMAT = 1
CHAINS = {1: "ethereum", 10: "optimism", 8_453: "base", 42_161: "arbitrum", 31_337: "local", 11_155_111: "sepolia"}


def default_path(chain_id: int, name: str) -> Path:
    return FOLDER / CHAINS.get(chain_id, str(chain_id)) / f"{name}.json"


def market_entry(market: Market, state: int = 1) -> dict[str, Any]:
    return {
        "id": market.id,
        "ticker": market.ticker,
        "sizeDecimals": market.size_decimals,
        "priceDecimals": 6 - market.size_decimals,
        "tick": market.tick,
        "imfPpm": market.imf_ppm,
        "mmfPpm": market.mmf_ppm,
        "bandPpm": market.band_ppm,
        "maxOpenInterest": market.max_open_interest,
        "maxPriceAge": market.max_price_age,
        "liquidationFloorPpm": market.liquidation_floor_ppm,
        "state": state,
    }


def market_entry_on_chain(id_: int, found: Any) -> dict[str, Any]:
    """From what `market(id)` answers."""
    ticker, size, price, tick, imf, mmf, band, cap, age, floor, state = found
    return {
        "id": id_,
        "ticker": ticker,
        "sizeDecimals": size,
        "priceDecimals": price,
        "tick": tick,
        "imfPpm": imf,
        "mmfPpm": mmf,
        "bandPpm": band,
        "maxOpenInterest": cap,
        "maxPriceAge": age,
        "liquidationFloorPpm": floor,
        "state": state,
    }


@dataclass
class Record:
    """One deployment, as JSON on disk."""

    path: Path
    data: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Raises `click.ClickException` when there is none, or none that these scripts wrote."""
        try:
            data = json.loads(path.read_text())
        except OSError as error:
            raise click.ClickException(
                f"cannot read {path}: {error.strerror}; deploy first, or name another"
            ) from error
        except ValueError as error:
            raise click.ClickException(f"{path} is not JSON: {error}") from error
        if data.get("format") != FORMAT:
            raise click.ClickException(f"{path} is no deployment record of format {FORMAT}")
        return cls(path, data)

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".new")
        partial.write_text(json.dumps(self.data, indent=2) + "\n")
        partial.replace(self.path)

    @property
    def contracts(self) -> dict[str, str]:
        """Name to address."""
        found: dict[str, str] = self.data["contracts"]
        return found

    @property
    def code(self) -> dict[str, dict[str, Any]]:
        """Name to how the contract was made."""
        found: dict[str, dict[str, Any]] = self.data["code"]
        return found

    @property
    def governance(self) -> str:
        """The address that owns everything."""
        return str(self.data["governance"])

    @property
    def timelock(self) -> str | None:
        """The timelock, if it is what governs."""
        address = self.contracts.get("timelock")
        return address if address == self.governance else None

    def name_of(self, address: str) -> str:
        """What the record calls an address; the address itself if nothing."""
        return next((name for name, each in self.contracts.items() if each == address), address)
