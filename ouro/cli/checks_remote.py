# SPDX-License-Identifier: Apache-2.0
"""What `ouro doctor` asks of the exchange, the relayer and the chain's node."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ouro.cli.checks_keys import address_of
from ouro.cli.report import Finding, State
from ouro.client import ClientError, OuroClient, RefusedError, TransactionError
from ouro.client.calls import Call, one
from ouro.client.config import ClientConfig
from ouro.client.contracts import rpc
from ouro.deployment import Deployment, DeploymentError

STALE_BLOCK_S = 120
CLOCK_WARN_S = 2.0
CLOCK_FAIL_S = 30.0
LAG_WARN_BLOCKS = 2
TRANSACTION_GAS = 1_000_000
"""More than what any single transaction of an operator or a keeper usually takes."""

WARN_TRANSACTIONS = 1_000
FAIL_TRANSACTIONS = 20
_START = "Start the services (make up for a local stack), or name the exchange with --url."


class Remote:
    """The exchange and its node as they are asked. `config` is None when the exchange does not tell it."""

    def __init__(self, url: str | None, rpc_url: str | None) -> None:
        self.client = OuroClient(url, rpc_url=rpc_url)
        self.why = ""
        self._config: ClientConfig | None = None
        self._asked = False

    @property
    def config(self) -> ClientConfig | None:
        if not self._asked:
            self._asked = True
            try:
                self._config = self.client.config()
            except ClientError as error:
                self.why = str(error)
        return self._config

    def reachable(self) -> bool:
        return self.config is not None

    def rpc(self, method: str, *parameters: Any) -> Any:
        return self.client.run(rpc(self.client.session, method, *parameters))

    def get(self, url: str) -> dict[str, Any]:
        """A JSON answer, whatever its status. Raises `ClientError` when there is none."""
        try:
            answer: dict[str, Any] = self.client.run(one(Call("GET", url, dict[str, Any])))
        except RefusedError as refused:
            answer = dict(refused.body)
        return answer

    def close(self) -> None:
        self.client.close()


def node(remote: Remote) -> Iterator[Finding]:
    """The exchange answers, and its node is on the chain and moves."""
    config = remote.config
    if config is None:
        yield Finding("exchange", State.FAIL, remote.why, _START)
        return
    yield Finding("exchange", State.OK, f"{remote.client.base_url}, chain {config.chain_id}")
    try:
        block = remote.rpc("eth_getBlockByNumber", "latest", False)
    except ClientError as error:
        mend = "Start the node or name another with --rpc-url (OURO_RPC_URL); it must serve the exchange's chain."
        yield Finding("node", State.FAIL, str(error), mend)
        return
    age = max(0, int(time.time()) - int(block["timestamp"], 16))
    found = f"block {int(block['number'], 16):,}, {age} s old"
    if age > STALE_BLOCK_S:
        mend = "The chain has stopped or the node has lost its peers: restart it, or use another with --rpc-url."
        yield Finding("node", State.FAIL, found, mend)
    else:
        yield Finding("node", State.OK, found)


def record(remote: Remote, path: Path, *, required: bool) -> Iterator[Finding]:
    """What is announced, what the record says and what is on the chain are one."""
    announced = remote.config.deployment if remote.config else None
    try:
        ours = Deployment.load(path) if required or path.exists() else None
    except DeploymentError as error:
        yield Finding("record", State.FAIL, str(error), "Name the record that was deployed with --deployment.")
        return
    if announced is None:
        return
    if ours is not None and (differs := _different(ours, announced)):
        yield Finding(
            "record",
            State.FAIL,
            f"{path} and the exchange differ in {', '.join(differs)}",
            "Name the record that the services were started with, or restart them with this one; sign nothing before.",
        )
    elif ours is not None:
        yield Finding("record", State.OK, f"{path} is what the exchange announces")
    try:
        differs = [what for what, agrees in _on_chain(remote, announced) if not agrees]
    except ClientError as error:
        mend = "These contracts are not on this chain: deploy again, or use the node of the chain they are on."
        yield Finding("contracts", State.FAIL, f"cannot be read: {error}", mend)
        return
    if differs:
        mend = "The record is of another deployment: restart the services with the right one; sign nothing before."
        yield Finding("contracts", State.FAIL, f"the chain differs in {', '.join(differs)}", mend)
    else:
        yield Finding("contracts", State.OK, "the chain agrees with the record")


def relayer(remote: Remote) -> Iterator[Finding]:
    """Takes orders, and settles them."""
    if remote.config is None or not remote.config.relayer_url:
        return
    url = remote.config.relayer_url.rstrip("/")
    try:
        answer = remote.get(f"{url}/ready")
    except ClientError as error:
        yield Finding("relayer", State.FAIL, str(error), "Start it: ouro relayer --help; its log says why it ended.")
        return
    if not answer.get("ready"):
        reason = str(answer.get("reason") or "it does not say why")
        mend = "It goes on by itself when the cause is gone; docs/relayer.md lists the causes."
        yield Finding("relayer", State.FAIL, f"not ready: {reason}", mend)
        return
    if warnings := answer.get("warnings"):
        mend = "docs/relayer.md says what each warning asks for."
        yield Finding("relayer", State.WARN, "; ".join(map(str, warnings)), mend)
        return
    waiting, most = answer.get("unsettledFills", 0), answer.get("maxUnsettledFills", 0)
    yield Finding("relayer", State.OK, f"ready, {waiting} of {most} fills unsettled, record {answer.get('seq')}")


def indexer(remote: Remote) -> Iterator[Finding]:
    """Follows chain and relayer closely."""
    if remote.config is None:
        return
    try:
        answer = remote.get("/ready")
    except ClientError as error:
        yield Finding("indexer", State.FAIL, str(error), "Start it: ouro indexer --help; its log says why it ended.")
        return
    if problems := answer.get("problems"):
        mend = "It catches up by itself when node and relayer answer; see their lines here, then its log."
        yield Finding("indexer", State.FAIL, "; ".join(map(str, problems)), mend)
        return
    lag = int(answer.get("lag") or 0)
    found = f"ready, {lag} block{'' if lag == 1 else 's'} behind, record {answer.get('seq')}"
    if lag > LAG_WARN_BLOCKS:
        yield Finding("indexer", State.WARN, found, "Look at the load of its machine and database.")
    else:
        yield Finding("indexer", State.OK, found)


def clocks(remote: Remote) -> Iterator[Finding]:
    """Signatures carry the time: a clock that is off makes orders late or from the future."""
    if remote.config is None:
        return
    before = time.time()
    try:
        told = float(remote.client.time().epoch)
    except ClientError as error:
        yield Finding("clock", State.WARN, str(error), "Ask again when the exchange answers.")
        return
    after = time.time()
    # Somewhere between asking and answer; what is within that span is no difference.
    off = max(before - told, told - after, 0.0)
    found = f"{off:.1f} s from the exchange's"
    mend = "Let the clock follow a time server (timedatectl set-ntp true) here and where the exchange runs."
    state = State.FAIL if off > CLOCK_FAIL_S else State.WARN if off > CLOCK_WARN_S else State.OK
    yield Finding("clock", state, found, mend if state is not State.OK else "")


def gas(remote: Remote, environment: Mapping[str, str], keystore: Path | None = None) -> Iterator[Finding]:
    """The operator, and those whose keys are in the environment or the key file, can go on paying for transactions."""
    if remote.config is None:
        return
    who = {"operator": remote.config.deployment.operator} | _own_addresses(environment)
    if keystore is not None:
        who.pop("your key", None)
        if address := address_of(keystore):
            who["your key"] = address
    try:
        price = max(1, int(remote.rpc("eth_gasPrice"), 16))
        balances = {name: int(remote.rpc("eth_getBalance", address, "latest"), 16) for name, address in who.items()}
    except ClientError:
        return  # the line about the node says it
    for name, wei in balances.items():
        transactions = wei // (price * TRANSACTION_GAS)
        paid = f"{transactions:,}" if transactions <= 1_000_000 else "over 1,000,000"
        found = f"{who[name]} can pay for {paid} transactions"
        mend = f"Send coin of chain {remote.config.chain_id} to {who[name]}."
        # One's own trading needs no gas but for deposits; that is nothing that stops the exchange.
        urgent = name != "your key" and transactions < FAIL_TRANSACTIONS
        state = State.FAIL if urgent else State.WARN if transactions < WARN_TRANSACTIONS else State.OK
        yield Finding(f"gas of {name}", state, found, mend if state is not State.OK else "")


def _own_addresses(environment: Mapping[str, str]) -> dict[str, str]:
    from ouro.client import LocalSigner, SignerError

    found: dict[str, str] = {}
    for name, variable in (("keeper", "OURO_KEEPER_KEY"), ("your key", "OURO_KEY")):
        if key := environment.get(variable):
            try:
                found[name] = LocalSigner.from_key(key).address
            except SignerError:
                continue  # commands that need it say so
    return found


def _different(ours: Deployment, announced: Deployment) -> list[str]:
    fields = ("chain_id", "operator", "settle_window", "withdrawal_delay", "contracts")
    return [name.replace("_", " ") for name in fields if getattr(ours, name) != getattr(announced, name)]


def _on_chain(remote: Remote, announced: Deployment) -> Iterator[tuple[str, bool]]:
    known = announced.contracts
    call: Callable[..., Any] = remote.client.chain.call
    for name, contract, function, expected in (
        ("vault", "Exchange", "vault", known.vault),
        ("oracle", "Exchange", "oracle", known.oracle),
        ("settle window", "Exchange", "SETTLE_WINDOW", announced.settle_window),
        ("exchange", "Vault", "exchange", known.exchange),
        ("usdc", "Vault", "token", known.usdc),
        ("withdrawal delay", "Vault", "withdrawal_delay", announced.withdrawal_delay),
    ):
        answer = call(contract, function)
        yield name, answer.lower() == expected.lower() if isinstance(expected, str) else answer == expected
    try:
        signer = call("PushedOracle", "signer")
    except TransactionError:
        return  # the oracle router prices the exchange: it has no signer
    yield "price signer", signer.lower() == announced.price_signer.lower()
