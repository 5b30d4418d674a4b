# SPDX-License-Identifier: AGPL-3.0-only
"""A session with a key and a configuration, and a way to run a flow against prepared answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro.client.calls import Call, Flow, Pause, Work
from ouro.client.config import ClientConfig
from ouro.client.errors import ClientError
from ouro.client.session import Session
from ouro.client.signers import LocalSigner

CONFIG = {
    "chainId": 31337,
    "startBlock": 1,
    "priceSigner": "0x" + "0f" * 20,
    "contracts": {
        "exchange": "0x" + "e1" * 20,
        "vault": "0x" + "ab" * 20,
        "oracle": "0x" + "0c" * 20,
        "usdc": "0x" + "5d" * 20,
    },
    "markets": [
        {
            "id": 1,
            "ticker": "BTC-USD",
            "sizeDecimals": 4,
            "priceDecimals": 2,
            "tick": 100,
            "imfPpm": 50_000,
            "mmfPpm": 30_000,
            "bandPpm": 100_000,
            "maxOpenInterest": 100_000_000,
            "maxPriceAge": 120,
            "liquidationFloorPpm": 5_000,
            "state": 1,
        }
    ],
    "settleWindow": 60,
    "withdrawalDelay": 120,
    "operator": "0x" + "0b" * 20,
    "relayerUrl": "http://127.0.0.1:8001",
    "rpcUrl": "http://127.0.0.1:8545",
    "somethingNew": True,
}

Answer = tuple[int, Any]
RunFlow = Callable[[Flow[Any], Sequence[Answer]], tuple[Any, list[Call[Any]]]]


@pytest.fixture
def account() -> LocalAccount:
    account: LocalAccount = Account.from_key("0x" + "17" * 32)
    return account


@pytest.fixture
def config() -> ClientConfig:
    return ClientConfig.from_record(CONFIG)


@pytest.fixture
def session(account: LocalAccount, config: ClientConfig) -> Session:
    return Session(signer=LocalSigner(account), known_config=config)


@pytest.fixture
def strict(account: LocalAccount, config: ClientConfig) -> Session:
    """Refuses what is off the tick instead of rounding it."""
    return Session(signer=LocalSigner(account), known_config=config, strict=True)


@pytest.fixture
def run_flow() -> RunFlow:
    """Runs a flow; each call it makes gets the next (status, body). Returns the result and the calls. Pauses are over
    at once.
    """

    def run(flow: Flow[Any], answers: Sequence[Answer] = ()) -> tuple[Any, list[Call[Any]]]:
        calls: list[Call[Any]] = []
        waiting = list(answers)
        try:
            effect = next(flow)
            while True:
                try:
                    if isinstance(effect, Work):
                        result = effect.carry_out()
                    elif isinstance(effect, Pause):
                        result = None
                    else:
                        calls.append(effect)
                        status, body = waiting.pop(0)
                        result = effect.parse(status, json.dumps(body).encode())
                except ClientError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as done:
            assert not waiting, "the flow made fewer calls than expected"
            return done.value, calls

    return run
