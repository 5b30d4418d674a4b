# SPDX-License-Identifier: AGPL-3.0-only
"""What a test needs of a chain, whether pyrevm or anvil, and a handle on a contract deployed there."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.support.abi import Abi, Log, RawLog, abi_of
from tests.support.build import artifact


@dataclass(frozen=True)
class Receipt:
    """A transaction that succeeded. `logs` holds those the contract's ABI knows, in order."""

    output: bytes
    gas_used: int
    raw_logs: tuple[RawLog, ...]
    logs: list[Log] = field(default_factory=list)

    def named(self, name: str) -> list[Log]:
        return [log for log in self.logs if log.name == name]


class Chain(Protocol):
    """Deploy, call, transact, time. `call` and `transact` raise `RevertError`."""

    def create(self, sender: str, code: bytes) -> str: ...

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes: ...

    def transact(self, sender: str, to: str, data: bytes, gas: int | None = None) -> Receipt: ...

    @property
    def now(self) -> int: ...


class Contract:
    """A deployed contract: `contract.call.name(args)` reads, `contract.send(sender).name(args)` writes."""

    def __init__(self, chain: Chain, address: str, abi: Abi):
        self.chain = chain
        self.address = address
        self.abi = abi

    @property
    def call(self) -> "_Caller":
        return _Caller(self)

    def send(self, sender: str, gas: int | None = None) -> "_Sender":
        return _Sender(self, sender, gas)

    def data(self, name: str, *args: Any) -> bytes:
        return self.abi.functions[name].encode(args)


class _Caller:
    def __init__(self, contract: Contract):
        self._contract = contract

    def __getattr__(self, name: str) -> Any:
        contract, function = self._contract, self._contract.abi.functions[name]

        def call(*args: Any, sender: str | None = None) -> Any:
            return function.decode(contract.chain.call(contract.address, function.encode(args), sender))

        return call


class _Sender:
    def __init__(self, contract: Contract, sender: str, gas: int | None):
        self._contract, self._sender, self._gas = contract, sender, gas

    def __getattr__(self, name: str) -> Any:
        contract, function = self._contract, self._contract.abi.functions[name]

        def send(*args: Any) -> Receipt:
            receipt = contract.chain.transact(self._sender, contract.address, function.encode(args), self._gas)
            decoded = (contract.abi.decode_log(log) for log in receipt.raw_logs)
            receipt.logs.extend(log for log in decoded if log is not None)
            return receipt

        return send


def deploy(chain: Chain, sender: str, name: str, *args: Any, abi: Abi | None = None) -> Contract:
    """Deploy the compiled contract `name`; the handle speaks `abi` if given, else the contract's own."""
    built, own = artifact(name), abi_of(name)
    address = chain.create(sender, built.bytecode + own.encode_constructor(args))
    return Contract(chain, address, own if abi is None else abi)
