# SPDX-License-Identifier: AGPL-3.0-only
"""Write the ABIs that the SDK carries, from the contracts: `ape run export_abi`, or `python scripts/export_abi.py`.

`--check` writes nothing and fails when one is out of date. The Exchange answers for its desk, office and exit too, by
delegatecall, so its ABI is the union of the four.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "ouro" / "abi"
SOURCES = {
    "Exchange": ("Exchange", "ExchangeDesk", "ExchangeOffice", "ExchangeExit"),
    "Vault": ("Vault",),
    "Backstop": ("Backstop",),
    "OracleRouter": ("OracleRouter",),
    "Timelock": ("Timelock",),
    "PushedOracle": ("PushedOracle",),
    "TestUSDC": ("TestUSDC",),
}
# Answers to nobody but the contract itself.
INTERNAL = {"execute_fill", "execute_group", "execute_liquidation"}


def _abi(contract: str) -> list[dict[str, Any]]:
    path = ROOT / "contracts" / f"{contract}.vy"
    vyper = Path(sys.executable).with_name("vyper")
    output = subprocess.run([vyper, "-f", "abi", path], capture_output=True, text=True, check=True, cwd=ROOT)
    entries: list[dict[str, Any]] = json.loads(output.stdout)
    return entries


def merged(contracts: tuple[str, ...]) -> str:
    """The ABI of several contracts behind one address, as JSON text. Constructors and fallbacks are left out."""
    entries: dict[str, dict[str, Any]] = {}
    for contract in contracts:
        for entry in _abi(contract):
            if entry["type"] in ("function", "event") and entry["name"] not in INTERNAL:
                entries.setdefault(f"{entry['type']} {entry['name']}", entry)
    ordered = [entries[key] for key in sorted(entries)]
    return "[\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in ordered) + "\n]\n"


@click.command()
@click.option("--check", is_flag=True, help="Only compare; exit 1 when an ABI is out of date.")
def cli(check: bool) -> None:
    stale = []
    for name, contracts in SOURCES.items():
        path = TARGET / f"{name}.json"
        text = merged(contracts)
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if check and stale:
        raise click.ClickException(f"out of date: {', '.join(stale)}; run `python scripts/export_abi.py`")
    click.echo(f"ABIs written: {', '.join(stale)}" if stale else "ABIs are up to date")


if __name__ == "__main__":
    cli()
