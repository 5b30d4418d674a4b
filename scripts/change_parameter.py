# SPDX-License-Identifier: AGPL-3.0-only
"""Change one thing that governance may change, whatever it is.

    ape run change_parameter --network URL --account ALIAS --deployment FILE exchange set_referrer_share 250000
    ape run change_parameter ... exchange set_market market=BTC-USD imf=60000
    ape run change_parameter ... vault set_outflow_limits day_share=400000

What needs notice is announced. Of `set_market` and `set_outflow_limits` only what changes has to be named.
"""

import json
from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractInstance

from scripts._chain import System, checksum, deployment_option, readable
from scripts._governance import Call, Governance, dry_run_option, refresh
from scripts._record import Record


def parsed(text: str, type_: str) -> Any:
    """A word of the command line as the ABI's type. Raises `ValueError`."""
    if type_.endswith("]"):
        return [parsed(str(each), type_[: type_.rindex("[")]) for each in json.loads(text)]
    if type_ == "bool":
        return {"true": True, "false": False}[text.lower()]
    if type_ == "address":
        return checksum(text)
    if type_.startswith("bytes"):
        return bytes.fromhex(text.removeprefix("0x"))
    if type_ == "string":
        return text
    return int(text.replace("_", ""), 0)


def present(system: System, contract: str, function: str, given: dict[str, str]) -> dict[str, Any]:
    """What holds now, for the arguments that were not given."""
    if (contract, function) == ("exchange", "set_market"):
        market = int(given["market"])
        with readable(f"reading market {market}"):
            *_, tick, imf, mmf, band, cap, age, floor, state = system.at("exchange").market(market)
        names = ("tick", "imf", "mmf", "band", "max_open_interest", "max_price_age", "liquidation_floor", "state")
        return dict(zip(names, (tick, imf, mmf, band, cap, age, floor, state), strict=True))
    if (contract, function) == ("vault", "set_outflow_limits"):
        limits = ("hour_floor", "hour_share", "day_floor", "day_share")
        return dict(zip(limits, system.at("vault").outflow_limits(), strict=True))
    return {}


def inputs_of(contract: ContractInstance, function: str) -> list[Any]:
    for abi in contract.contract_type.mutable_methods:
        if abi.name == function:
            return list(abi.inputs)
    known = ", ".join(sorted({abi.name for abi in contract.contract_type.mutable_methods}))
    raise click.ClickException(f"there is no function {function}; there are {known}")


def call_of(system: System, contract: str, function: str, words: tuple[str, ...]) -> Call:
    """Raises `click.ClickException` that names the argument that is wrong."""
    inputs = inputs_of(system.at(contract), function)
    names = [each.name for each in inputs]
    given: dict[str, str] = {}
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if not equals:
            key, value = (names[place] if place < len(names) else ""), word
        if key not in names:
            raise click.ClickException(f"{function} takes {', '.join(names) or 'nothing'}; not {word!r}")
        given[key] = value
    tickers = {market["ticker"]: market["id"] for market in system.record.data["markets"]}
    if given.get("market") in tickers:
        given["market"] = str(tickers[given["market"]])
    if "market" in names and not given.get("market", "0").isdecimal():
        raise click.ClickException(f"no market {given['market']}; there are {', '.join(tickers)}")
    known = present(system, contract, function, given) if "market" in given or "market" not in names else {}
    arguments = []
    for each in inputs:
        if each.name not in given and each.name not in known:
            raise click.ClickException(f"{function} needs {each.name} ({each.type})")
        try:
            value = parsed(given[each.name], str(each.type)) if each.name in given else known[each.name]
        except (ValueError, KeyError) as error:
            raise click.ClickException(f"{each.name}={given[each.name]!r} is no {each.type}") from error
        arguments.append(value)
    return Call(contract, function, tuple(arguments))


@click.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@dry_run_option
@click.argument("contract")
@click.argument("function")
@click.argument("words", nargs=-1, metavar="[NAME=]VALUE...")
def cli(
    provider: Any,
    account: AccountAPI,
    path: Path,
    dry_run: bool,
    contract: str,
    function: str,
    words: tuple[str, ...],
) -> None:
    """Have governance call FUNCTION of CONTRACT, a name in the record."""
    system = System(Record.load(path), provider)
    proposed = Governance(system, account, dry_run).propose([call_of(system, contract, function, words)])
    if not proposed and not dry_run:
        refresh(system)
