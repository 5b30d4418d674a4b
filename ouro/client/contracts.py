# SPDX-License-Identifier: Apache-2.0
"""Calls and transactions on the contracts, by their ABIs and plain JSON-RPC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, TypeVar

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from ouro import abi
from ouro.client.calls import Call, Flow, Pause
from ouro.client.config import ClientConfig
from ouro.client.errors import TransactionError, UnreachableError, WrongNetworkError
from ouro.client.session import Session
from ouro.eip712 import keccak
from ouro.events import Event, decode_log
from ouro.urls import shown

GAS_MARGIN_PERCENT = 140
"""A block later there may be funding to accrue, which costs more than when the node estimated."""

MOST_FEE_WEI = 5 * 10**17
"""What a transaction may cost at most. The node says how much gas it needs at which price, and the node may be one that
the exchange has named: half a coin is all that it can make anybody pay.
"""

RECEIPT_TIMEOUT_S = 120.0
RECEIPT_POLL_S = 0.2

_ADDRESSES = {"Exchange": "exchange", "Vault": "vault", "PushedOracle": "oracle", "TestUSDC": "usdc"}
"""Contracts of `/v4/config` by the name of their ABI."""

E = TypeVar("E", bound=Event)

_ids = count(1)


@dataclass(frozen=True)
class Sent:
    """A transaction that is in a block, with the exchange's events in it."""

    transaction_hash: str
    block_number: int
    gas_used: int
    events: tuple[Event, ...] = field(repr=False)

    def event(self, kind: type[E]) -> E:
        """The first event of a kind. Raises `TransactionError` when there is none."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        raise TransactionError(f"transaction {self.transaction_hash} has no {kind.__name__}")


class NodeCall(Call[Any]):
    """A request to a node; its answer is the `result`."""

    def parse(self, status: int, content: bytes, retry_after: str | None = None) -> Any:  # noqa: ARG002
        try:
            answer = msgspec.json.decode(content)
        except msgspec.DecodeError:
            answer = None
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        fault = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(fault, dict):
            raise UnreachableError(f"the node at {shown(self.path)} answered {status} with what is no JSON-RPC")
        raise TransactionError(reason(fault))


def rpc(session: Session, method: str, *parameters: Any) -> Flow[Any]:
    """One JSON-RPC request to the client's node. Raises `TransactionError` when it refuses."""
    url = yield from node_url(session)
    body = {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": list(parameters)}
    result: Any = yield NodeCall("POST", url, object, body=body)
    return result


def node_url(session: Session) -> Flow[str]:
    """The client's own node, or the one that the exchange announces. Raises `TransactionError` when there is neither,
    `WrongNetworkError` when it serves another chain: there the contracts are not the exchange's.
    """
    config = yield from session.config()
    url = session.network.rpc_url or config.rpc_url
    if not url:
        raise TransactionError("no node is known: the exchange announces none, so name one as rpc_url")
    if not session.node_checked:
        body = {"jsonrpc": "2.0", "id": next(_ids), "method": "eth_chainId", "params": []}
        chain_id = int((yield NodeCall("POST", url, object, body=body)), 16)
        if chain_id != config.chain_id:
            raise WrongNetworkError(
                f"the node at {shown(url)} serves chain {chain_id}, the exchange is on {config.chain_id}: nothing is "
                "sent"
            )
        session.node_checked = True
    return url


def call(session: Session, contract: str, function: str, *arguments: Any) -> Flow[Any]:
    """Read from a contract (`Exchange`, `Vault`, `PushedOracle`, `TestUSDC`): its one result, or a tuple of several.
    Raises `TransactionError` with the contract's reason, `ValueError` for arguments that do not fit.
    """
    config = yield from session.config()
    entry = _function(contract, function)
    request = {"to": _address(config, contract), "data": _calldata(entry, arguments)}
    answer = yield from rpc(session, "eth_call", request, "latest")
    try:
        results = decode([_type(output) for output in entry["outputs"]], bytes.fromhex(str(answer)[2:]))
    except (DecodingError, ValueError) as error:
        raise UnreachableError(f"{contract}.{function} answered what cannot be read: {error}") from error
    return results[0] if len(results) == 1 else results


def send(session: Session, contract: str, function: str, *arguments: Any) -> Flow[Sent]:
    """Sign and send a transaction, and wait for its block. Raises `TransactionError` with the contract's reason."""
    config = yield from session.config()
    sender = session.require_signer().address
    data = _calldata(_function(contract, function), arguments)
    request = {"from": sender, "to": _address(config, contract), "data": data}
    gas = int((yield from rpc(session, "eth_estimateGas", request)), 16)
    nonce = int((yield from rpc(session, "eth_getTransactionCount", sender, "pending")), 16)
    tip = int((yield from rpc(session, "eth_maxPriorityFeePerGas")), 16)
    block = yield from rpc(session, "eth_getBlockByNumber", "latest", False)
    limit, price = gas * GAS_MARGIN_PERCENT // 100, 2 * int(block["baseFeePerGas"], 16) + tip
    if limit * price > MOST_FEE_WEI:
        raise TransactionError(
            f"the node asks for {limit} gas at {price} wei, more than {MOST_FEE_WEI} wei in all: nothing is sent; name "
            "a node that you trust as rpc_url, or try again when the chain is cheaper"
        )
    raw = yield from session.sign_transaction(
        {
            "type": 2,
            "chainId": config.chain_id,
            "nonce": nonce,
            "to": request["to"],
            "data": data,
            "value": 0,
            "gas": limit,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": tip,
        }
    )
    transaction_hash = yield from rpc(session, "eth_sendRawTransaction", "0x" + raw.hex())
    receipt = yield from _receipt(session, transaction_hash)
    if not int(receipt["status"], 16):
        raise TransactionError(f"{function} was undone by the contract in {transaction_hash}")
    return Sent(
        transaction_hash,
        int(receipt["blockNumber"], 16),
        int(receipt["gasUsed"], 16),
        tuple(_events(config, receipt["logs"])),
    )


def _receipt(session: Session, transaction_hash: str) -> Flow[Mapping[str, Any]]:
    waited = 0.0
    while waited <= RECEIPT_TIMEOUT_S:
        receipt = yield from rpc(session, "eth_getTransactionReceipt", transaction_hash)
        if receipt is not None:
            return dict(receipt)
        yield Pause(RECEIPT_POLL_S)
        waited += RECEIPT_POLL_S
    raise UnreachableError(f"transaction {transaction_hash} is not in a block after {RECEIPT_TIMEOUT_S:.0f} s")


def _events(config: ClientConfig, logs: list[Mapping[str, Any]]) -> Iterator[Event]:
    ours = {_address(config, contract).lower() for contract in _ADDRESSES}
    for log in logs:
        if log["address"].lower() in ours:
            event = decode_log(log)
            if event is not None:
                yield event


def _address(config: ClientConfig, contract: str) -> str:
    return str(getattr(config.contracts, _ADDRESSES[contract]))


@cache
def _function(contract: str, name: str) -> Mapping[str, Any]:
    if contract not in _ADDRESSES:
        raise ValueError(f"there is no contract {contract!r}; there are: {', '.join(_ADDRESSES)}")
    for entry in abi.load(contract):
        if entry["type"] == "function" and entry["name"] == name:
            return entry
    raise ValueError(f"{contract} has no function {name!r}")


def function_at(config: ClientConfig, address: str, data: str) -> str:
    """What a transaction calls, in words: the contract's function if both are the exchange's, else the address."""
    for contract in _ADDRESSES:
        if _address(config, contract).lower() != address.lower():
            continue
        for entry in abi.load(contract):
            if entry["type"] == "function" and _selector(entry).hex() == data[2:10]:
                return f"{contract}.{entry['name']}"
    return address


def _selector(entry: Mapping[str, Any]) -> bytes:
    kinds = [_type(parameter) for parameter in entry["inputs"]]
    return keccak(f"{entry['name']}({','.join(kinds)})".encode())[:4]


def _calldata(entry: Mapping[str, Any], arguments: tuple[Any, ...]) -> str:
    kinds = [_type(parameter) for parameter in entry["inputs"]]
    try:
        return "0x" + (_selector(entry) + encode(kinds, arguments)).hex()
    except (EncodingError, TypeError, ValueError) as error:
        raise ValueError(f"{entry['name']} does not take these arguments: {error}") from error


def _type(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return f"({','.join(_type(part) for part in parameter['components'])}){kind.removeprefix('tuple')}"
    return kind


def reason(fault: Mapping[str, Any]) -> str:
    """In our words what a node's error says: the contract's reason, or why the node itself did not want it."""
    data = fault.get("data")
    if isinstance(data, Mapping):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x08c379a0"):
        try:
            [text] = decode(["string"], bytes.fromhex(data[10:]))
        except (DecodingError, ValueError):
            text = ""
        return f"the contract refused: {text or 'it gave no reason'}"
    message = str(fault.get("message") or fault)
    if "revert" in message:
        text = message.partition("reverted")[2].strip(" :,")
        return f"the contract refused: {text or 'it gave no reason'}"
    return f"the node refused: {message}"
