# SPDX-License-Identifier: AGPL-3.0-only
"""Between ape and the scripts: a deployment's contracts as ape's instances, readable failures, events."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.api.providers import ProviderAPI
from ape.contracts import ContractContainer, ContractInstance
from ape.exceptions import ApeException
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from ethpm_types import ContractType
from web3.exceptions import ContractLogicError, Web3Exception

from scripts._build import EXCHANGE, Code, compiled
from scripts._parameters import Market
from scripts._record import Record

LOGS_AT_ONCE = 20_000
NEXT = "pending"
deployment_option = click.option(
    "--deployment",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The record that `deploy` wrote.",
)


def contract_type(*codes: Code) -> ContractType:
    """One of ape's, with the functions and events of all: a delegating contract answers for those behind it."""
    entries: dict[str, Any] = {}
    for code in codes:
        for entry in code.abi:
            key = f"{entry['type']} {entry.get('name', '')}"
            if code is codes[0] or entry["type"] in ("function", "event"):
                entries.setdefault(key, entry)
    return ContractType.model_validate(
        {
            "contractName": codes[0].name,
            "abi": list(entries.values()),
            "deploymentBytecode": {"bytecode": "0x" + codes[0].creation.hex()},
            "runtimeBytecode": {"bytecode": "0x" + codes[0].runtime.hex()},
        }
    )


def container(code: Code) -> ContractContainer:
    return ContractContainer(contract_type(code))


def instance(address: str, *codes: Code) -> ContractInstance:
    return ContractInstance(address, contract_type(*codes))


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turns what ape and the node throw into one line that says what was being done."""
    try:
        yield
    except (ApeException, Web3Exception) as error:
        raise click.ClickException(f"{what} failed: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The contract's own words where it said any."""
    text = str(getattr(error, "revert_message", None) or getattr(error, "message", None) or error)
    return text.removeprefix("execution reverted: ").removeprefix("execution reverted").strip(": ") or "no reason given"


class System:
    """The contracts of a record, on the chain that ape is connected to."""

    def __init__(self, record: Record, provider: ProviderAPI):
        if provider.chain_id != record.data["chainId"]:
            raise click.ClickException(
                f"{record.path} is a deployment on chain {record.data['chainId']}; this network is {provider.chain_id}"
            )
        self.record, self.provider = record, provider
        self.web3: Any = provider.web3  # type: ignore[attr-defined]
        kinds = [entry["contract"] for entry in record.code.values()]
        self.codes = compiled(kinds)

    def at(self, name: str) -> ContractInstance:
        """The contract that the record calls `name`. Raises `click.ClickException` for an unknown one."""
        if name not in self.record.contracts:
            known = ", ".join(self.record.contracts)
            raise click.ClickException(f"the deployment has no contract {name}; it has {known}")
        address = self.record.contracts[name]
        if name == "exchange":
            return instance(address, *(self.codes[each] for each in EXCHANGE))
        if name == "usdc" and name not in self.record.code:
            return instance(address, compiled(["TestUSDC"])["TestUSDC"])
        return instance(address, self.codes[self.record.code[name]["contract"]])

    def owned(self) -> list[str]:
        """Names of the contracts that have an owner. The halves of the Exchange have none that counts."""
        halves = ("desk", "office", "exit")
        return [
            name
            for name, entry in self.record.code.items()
            if name not in halves and self._has(entry["contract"] if name != "exchange" else "ExchangeOffice", "owner")
        ]

    def _has(self, contract: str, function: str) -> bool:
        return any(entry.get("name") == function for entry in self.codes[contract].abi)

    def now(self) -> int:
        """The time of the next block: on a chain that mines only when asked to, the last one may be long ago."""
        return int(self.web3.eth.get_block(NEXT)["timestamp"])

    def simulate(self, sender: str, to: str, data: bytes, storage: dict[str, str] | None = None) -> str | None:
        """Why a call would fail in the next block; None if it would not.

        `storage`: words of `to` to suppose. A node that cannot do that finds nothing wrong.
        """
        override = {"state_override": {to: {"stateDiff": storage}}} if storage else {}
        try:
            self.web3.eth.call({"from": sender, "to": to, "data": "0x" + data.hex()}, NEXT, **override)
        except ContractLogicError as error:
            return reason(error)
        except Web3Exception as error:
            return None if storage else reason(error)
        return None

    def noticed(self, name: str, payload: bytes) -> dict[str, str]:
        """The storage that a contract would have if the notice of a call were over."""
        kind = EXCHANGE[0] if name == "exchange" else self.record.code[name]["contract"]
        slot = self.codes[kind].slot_of("notice_ready_at")
        place = keccak(slot.to_bytes(32, "big") + keccak(payload))
        return {"0x" + place.hex(): f"0x{self.now():064x}"}

    def logs(self, name: str, event: str) -> list[Any]:
        """Events of a contract since it was deployed, decoded, in order. `args` holds the fields."""
        abi = [entry for entry in self._abi(name) if entry["type"] == "event"]
        source = self.web3.eth.contract(address=self.record.contracts[name], abi=abi).events[event]
        first, last = self.record.code[name]["block"], self.web3.eth.block_number
        found: list[Any] = []
        for start in range(first, last + 1, LOGS_AT_ONCE):
            found += source.get_logs(from_block=start, to_block=min(last, start + LOGS_AT_ONCE - 1))
        return found

    def _abi(self, name: str) -> list[dict[str, Any]]:
        kinds = EXCHANGE if name == "exchange" else (self.record.code[name]["contract"],)
        return [entry for kind in kinds for entry in self.codes[kind].abi]


def sources(market: Market, contracts: dict[str, str]) -> tuple[Any, ...]:
    """The arguments of `set_sources` for a market of the parameters."""
    assert market.prices is not None
    named = [
        (contracts.get(f"adapter:{s.adapter}", s.adapter), s.feed_word(), s.max_age) for s in market.prices.sources
    ]
    return market.id, market.size_decimals, market.prices.quorum, market.prices.max_deviation_ppm, named


def send(contract: ContractInstance, function: str, *arguments: Any, sender: AccountAPI) -> Any:
    """A transaction that must succeed; its receipt."""
    handler = getattr(contract, function)
    web3: Any = contract.provider.web3
    with readable(f"{contract.contract_type.name}.{function}"):
        data = "0x" + bytes(handler.encode_input(*arguments)).hex()
        # as of the next block: ape's own estimate is of the last one, which may be long ago
        gas = web3.eth.estimate_gas({"from": sender.address, "to": contract.address, "data": data}, NEXT)
        return handler(*arguments, sender=sender, gas=gas * 5 // 4)


def checksum(address: str) -> str:
    return str(to_checksum_address(address))
