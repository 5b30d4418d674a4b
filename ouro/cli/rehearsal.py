# SPDX-License-Identifier: Apache-2.0
"""`--dry-run`: the same work as without it, but nothing leaves except reads.

Transactions are simulated by the node, each on what those before it would leave (`eth_simulateV1`), so that an approval
and the deposit after it are rehearsed alike. What only the operator can answer ends the rehearsal.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ouro.cli.output import View
from ouro.client import ClientError, LocalSigner, OuroClient, TransactionError, UnreachableError
from ouro.client.calls import Call as Request
from ouro.client.calls import Effect
from ouro.client.contracts import NodeCall, function_at, reason
from ouro.client.networks import Network
from ouro.client.signers import TypedMessage
from ouro.eip712 import keccak
from ouro.units import plain
from ouro.urls import shown

_GAS_MARGIN_PERCENT = 110
"""What is used of gas while a call runs may be more than what it costs in the end."""

Transaction = Mapping[str, Any]


class RehearsedError(Exception):
    """The point beyond which nothing can be rehearsed; `why` says so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _NoSimulationError(Exception):
    """The node does not simulate transactions on top of one another."""


class Note:
    """A signer that keeps what it signs."""

    def __init__(self, signer: LocalSigner) -> None:
        self._signer = signer
        self.messages: list[Mapping[str, Any]] = []
        self.transactions: list[Transaction] = []

    @property
    def address(self) -> str:
        return self._signer.address

    def sign_message(self, message: TypedMessage) -> bytes:
        self.messages.append({"type": message.primary_type, "message": dict(message.message)})
        return self._signer.sign_message(message)

    def sign_transaction(self, transaction: Transaction) -> bytes:
        self.transactions.append(dict(transaction))
        return self._signer.sign_transaction(transaction)


class RehearsingClient(OuroClient):
    """A client that reads and signs as always, simulates what it would send to a node, and raises `RehearsedError`
    where only the exchange could go on. `steps` are what would have been sent, in order.
    """

    def __init__(self, exchange: Network, signer: LocalSigner, *, owner: str | None = None) -> None:
        self.note = Note(signer)
        self.steps: list[dict[str, Any]] = []
        self._calls: list[dict[str, str]] = []
        self._mined: dict[str, dict[str, Any]] = {}
        self._overrides: dict[str, Any] = {}
        self._wei = 0
        super().__init__(exchange, self.note, owner=owner, strict=True)

    def _carry_out(self, effect: Effect) -> Any:
        if not isinstance(effect, Request) or effect.method == "GET":
            return super()._carry_out(effect)
        if "://" in effect.path and effect.body is not None and "jsonrpc" in effect.body:
            return self._node(effect)
        raise self._write(effect)

    def record(self, why: str = "") -> dict[str, Any]:
        """What was rehearsed, as JSON. Signatures stay out: nobody must be able to send what was only rehearsed."""
        return {"dryRun": True, "signs": list(self.note.messages), "steps": self.steps, "stoppedAt": why or None}

    def view(self, why: str = "") -> View:
        """What was rehearsed."""
        rows = [
            (number, step["what"], step.get("gasUsed"), step["result"]) for number, step in enumerate(self.steps, 1)
        ]
        signed = [f"{each['type']} {_brief(each['message'])}" for each in self.note.messages]
        lines = [f"Would sign: {each}" for each in signed[:_SHOWN]]
        lines += [f"... and {len(signed) - _SHOWN} more (--json has all)."] if len(signed) > _SHOWN else []
        if self._wei:
            lines.append(f"Gas: at most {_coins(self._wei)} of the chain's coin.")
        lines += [why] if why else []
        lines.append("Dry run: nothing was sent.")
        return View(
            self.record(why), columns=("step", "would be sent", "gas", "result"), rows=rows, note="\n".join(lines)
        )

    def _write(self, call: Request[Any]) -> RehearsedError:
        """A request that only the exchange can answer: the rehearsal is over with it."""
        url = shown(call.path) if "://" in call.path else self.base_url + call.path
        step = {
            "what": f"{call.method} {url if '://' in call.path else call.path}",
            "to": url,
            "method": call.method,
            "body": _without_signatures(call.body),
            "result": "not asked",
        }
        self.steps.append(step)
        if call.path == "/v4/withdrawals":
            return RehearsedError("The payout that follows needs the operator's signature, so it is not rehearsed.")
        return RehearsedError("")

    def _node(self, call: Request[Any]) -> Any:
        assert call.body is not None
        method, parameters = str(call.body["method"]), call.body["params"]
        if method == "eth_sendRawTransaction":
            return self._send(call.path, "0x" + keccak(bytes.fromhex(parameters[0][2:])).hex())
        if method == "anvil_setBalance":
            address, wei = parameters
            self._overrides[address] = {"balance": wei}
            self.steps.append(
                {"what": f"{method} {address}", "to": shown(call.path), "method": method, "result": "would do"}
            )
            return None
        if method == "eth_getTransactionReceipt" and parameters[0] in self._mined:
            return self._mined[parameters[0]]
        if not (self._calls or self._overrides):
            return super()._carry_out(call)
        try:
            return self._after(call, method, parameters)
        except _NoSimulationError:
            raise RehearsedError(
                "This node has no eth_simulateV1, so what comes after this transaction is not rehearsed: name another "
                "node with --rpc-url."
            ) from None

    def _after(self, call: Request[Any], method: str, parameters: list[Any]) -> Any:
        """What the node would answer once the transactions so far were in a block."""
        if method == "eth_estimateGas":
            done = self._simulated(call.path, parameters[0])
            return hex(int(done["gasUsed"], 16) * _GAS_MARGIN_PERCENT // 100)
        if method == "eth_call":
            return self._simulated(call.path, parameters[0])["returnData"]
        answer = super()._carry_out(call)
        if method == "eth_getTransactionCount":
            sent = sum(each["from"].lower() == parameters[0].lower() for each in self._calls)
            return hex(int(answer, 16) + sent)
        return answer

    def _send(self, url: str, transaction_hash: str) -> str:
        transaction = self.note.transactions[-1]
        call = {"from": self.note.address, "to": transaction["to"], "data": transaction["data"]}
        step: dict[str, Any] = {
            "what": function_at(self.run(self.session.config()), transaction["to"], transaction["data"]),
            "to": shown(url),
            "method": "eth_sendRawTransaction",
            "transaction": dict(transaction),
        }
        try:
            done = self._simulated(url, call)
        except _NoSimulationError:
            # The node has at least estimated its gas, so it would go through now.
            step["gasUsed"], step["result"] = int(transaction["gas"]), "would go through (gas limit shown)"
            done = {"gasUsed": hex(transaction["gas"]), "logs": []}
        else:
            step["gasUsed"], step["result"] = int(done["gasUsed"], 16), "would go through"
        most = transaction["gas"] * transaction["maxFeePerGas"]
        step["mostWei"] = str(most)
        self.steps.append(step)
        self._calls.append(call)
        self._wei += most
        self._pay(url)
        self._mined[transaction_hash] = {
            "transactionHash": transaction_hash,
            "blockNumber": "0x0",
            "status": "0x1",
            "gasUsed": done["gasUsed"],
            "logs": done["logs"],
        }
        return transaction_hash

    def _pay(self, url: str) -> None:
        """Raises `TransactionError` when the wallet has less coin than the gas may cost, as a node would refuse."""
        wallet = self.note.address
        if wallet in self._overrides:
            return
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [wallet, "latest"]}
        held = int(super()._carry_out(NodeCall("POST", url, object, body=body)), 16)
        if held < self._wei:
            raise TransactionError(
                f"{wallet} holds {_coins(held)} of the chain's coin, and the gas may cost {_coins(self._wei)}"
            )

    def _simulated(self, url: str, call: Mapping[str, Any]) -> dict[str, Any]:
        """A call on top of the transactions so far. Raises `TransactionError` with the contract's reason."""
        calls = [*self._calls, {name: call[name] for name in ("from", "to", "data") if name in call}]
        block = {"calls": calls, **({"stateOverrides": self._overrides} if self._overrides else {})}
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_simulateV1",
            "params": [{"blockStateCalls": [block]}, "latest"],
        }
        try:
            [answer] = super()._carry_out(NodeCall("POST", url, object, body=body))
            done: dict[str, Any] = answer["calls"][-1]
            succeeded = int(done["status"], 16) == 1
        except UnreachableError:
            raise
        except (ClientError, KeyError, TypeError, ValueError, IndexError):
            raise _NoSimulationError from None
        if not succeeded:
            fault = {"message": "execution reverted", **done.get("error", {}), "data": done.get("returnData")}
            raise TransactionError(f"step {len(self.steps) + 1} of the rehearsal: {reason(fault)}")
        return done


_SHOWN = 8
_WEI_DECIMALS = 18


def _coins(wei: int) -> str:
    return plain(Decimal(wei).scaleb(-_WEI_DECIMALS))


def _brief(message: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in message.items())


def _without_signatures(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: "(not shown)" if name.lower().endswith("signature") else _without_signatures(part)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_signatures(each) for each in value]
    return value
