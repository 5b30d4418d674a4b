# SPDX-License-Identifier: AGPL-3.0-only
"""Prices in the demo's own time: picks them from the replay, signs them, and pushes them when the scenario says so."""

from collections.abc import Iterator
from typing import Any, cast

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3

from ouro import abi, eip712
from ouro.deployment import Deployment
from stack.prices import STEPS_PER_CANDLE, Replay, load_candles

MORNING = 2_376
"""The candle of 2023-03-09 15:36 UTC: BTC at 21,704 USD, a quiet afternoon in Europe."""

AFTER_THE_DIP = 2_472
"""17:12 UTC, a percent lower."""

BOTTOM = 3_528
"""2023-03-10 10:48 UTC, 9.4% lower, the low of the file being 19,570 USD."""

CANDLES_A_STEP = 16
PUSH_GAS = 400_000
WEI_TIP = 50 * 10**9


class Oracle:
    """The price signer with the replay in hand."""

    def __init__(self, rpc_url: str, deployment: Deployment, signer: LocalAccount) -> None:
        self.deployment = deployment
        self.signer = signer
        self.replay = Replay(load_candles())
        self.web3 = Web3(Web3.HTTPProvider(rpc_url))
        self.contract = self.web3.eth.contract(
            address=to_checksum_address(deployment.contracts.oracle), abi=abi.load("PushedOracle")
        )
        self.prices: dict[str, int] = {}

    def at(self, candle: int) -> dict[str, int]:
        """Closing prices of one minute, ticker to price units."""
        return self.replay.prices(candle * STEPS_PER_CANDLE + STEPS_PER_CANDLE - 1)

    def time_of(self, candle: int) -> str:
        """When that minute was."""
        return self.replay.candles[candle].time

    def crash(self) -> Iterator[tuple[str, dict[str, int]]]:
        """The fall from the dip to the bottom, so many minutes a step."""
        for candle in range(AFTER_THE_DIP + CANDLES_A_STEP, BOTTOM + 1, CANDLES_A_STEP):
            yield self.time_of(candle), self.at(candle)

    def send(self, prices: dict[str, int]) -> str:
        """Put a push of the prices, as of the newest block, before every other transaction that waits; its hash."""
        block = self.web3.eth.get_block("latest")
        entries = [self._entry(ticker, price, int(block["timestamp"])) for ticker, price in prices.items()]
        built = self.contract.functions.push(entries).build_transaction(
            {
                "from": self.signer.address,
                "nonce": self.web3.eth.get_transaction_count(self.signer.address, "latest"),
                "gas": PUSH_GAS,
                "maxFeePerGas": self.web3.to_wei(int(block["baseFeePerGas"]) * 2 + WEI_TIP, "wei"),
                "maxPriorityFeePerGas": self.web3.to_wei(WEI_TIP, "wei"),
            }
        )
        sent = self.web3.eth.send_raw_transaction(
            self.signer.sign_transaction(cast(dict[str, Any], built)).raw_transaction
        )
        self.prices = prices
        return sent.to_0x_hex()

    def stored(self) -> dict[str, int]:
        """What the contract says, ticker to price units."""
        return {m.ticker: int(self.contract.functions.price(m.id).call()[0]) for m in self.deployment.markets}

    def _entry(self, ticker: str, price: int, published_at: int) -> tuple[int, int, int, int, int]:
        market = self.deployment.market(ticker).id
        message = {"market": market, "price": price, "publishedAt": published_at}
        signature = eip712.sign(
            eip712.digest(self.deployment.oracle_domain(), "Price", message), bytes(self.signer.key)
        )
        r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
        return market, price, published_at, r, s | (v - 27) << 255
