# SPDX-License-Identifier: AGPL-3.0-only
"""The local stack's price feed: replays the committed series, signs each price and pushes it to the oracle.

    python -m stack.feed --rpc-url http://127.0.0.1:8545 --deployment .ouro/deployment.json --state .ouro/feed.json

`publishedAt` is the time of the newest block, so a price is never ahead of the chain. The step reached is kept in the
state file, and the next run goes on from there. What was signed last is in `prices.json` beside it, for a keeper that
pushes; `python -m stack.shock` moves all prices away from the series.
"""

import json
import logging
import time
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import Contract
from web3.exceptions import TransactionNotFound
from web3.types import TxParams

from ouro import abi, eip712
from ouro.deployment import Deployment
from ouro.eip712 import Domain
from stack.prices import STEPS_PER_CANDLE, Replay, load_candles
from stack.process import CHAIN_TROUBLE, Stop, log_to_stdout
from stack.shock import shocked
from stack.wallets import Role, wallet

log = logging.getLogger("feed")

PUSH_GAS = 400_000
PRIORITY_FEE_WEI = 10**9


Entry = tuple[int, int, int, int, int]
"""Market, price, time of publication, and the signature's two words r and vs."""


class Publisher:
    """Signs prices and pushes them in one transaction."""

    def __init__(self, web3: Web3, deployment: Deployment, signer: LocalAccount) -> None:
        self.web3 = web3
        self.signer = signer
        self.oracle: Contract = web3.eth.contract(
            address=to_checksum_address(deployment.contracts.oracle), abi=abi.load("PushedOracle")
        )
        self.domain = Domain(
            chain_id=deployment.chain_id, verifying_contract=deployment.contracts.oracle, name="Ouro Oracle"
        )
        self.market_ids = {market.ticker: market.id for market in deployment.markets}
        self.last_published_at = 0
        self.signed: list[Entry] = []

    def publish(self, path: Path) -> None:
        """Write what was signed last, as a JSON array."""
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps([_shown(entry) for entry in self.signed]) + "\n")
        temporary.replace(path)

    def push(self, prices: dict[str, int]) -> str | None:
        """Push the prices (ticker to price units) as of the newest block; the hash of the transaction.

        None when there has been no new block since the last push: the oracle takes only newer prices.
        """
        block = self.web3.eth.get_block("latest")
        published_at = int(block["timestamp"])
        if published_at <= self.last_published_at:
            return None
        entries = [
            self._entry(self.market_ids[ticker], price, published_at)
            for ticker, price in prices.items()
            if ticker in self.market_ids
        ]
        self.signed = entries
        transaction: TxParams = {
            "from": self.signer.address,
            "nonce": self.web3.eth.get_transaction_count(self.signer.address, "pending"),
            "gas": PUSH_GAS,
            "maxFeePerGas": self.web3.to_wei(int(block["baseFeePerGas"]) * 2 + PRIORITY_FEE_WEI, "wei"),
            "maxPriorityFeePerGas": self.web3.to_wei(PRIORITY_FEE_WEI, "wei"),
        }
        built = self.oracle.functions.push(entries).build_transaction(transaction)
        sent = self.web3.eth.send_raw_transaction(
            self.signer.sign_transaction(cast(dict[str, Any], built)).raw_transaction
        )
        self.last_published_at = published_at
        return sent.to_0x_hex()

    def _entry(self, market_id: int, price: int, published_at: int) -> Entry:
        message = {"market": market_id, "price": price, "publishedAt": published_at}
        signature = eip712.sign(eip712.digest(self.domain, "Price", message), bytes(self.signer.key))
        r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
        return market_id, price, published_at, r, s | (v - 27) << 255

    def failed(self, transaction_hash: str) -> bool:
        """Whether a push is in a block and was refused there."""
        try:
            return not self.web3.eth.get_transaction_receipt(HexBytes(transaction_hash))["status"]
        except TransactionNotFound:
            return False


def _shown(entry: Entry) -> dict[str, Any]:
    """A signed price as keepers read it."""
    market, price, published_at, r, vs = entry
    s, v = vs & (1 << 255) - 1, 27 + (vs >> 255)
    signature = "0x" + (r << 264 | s << 8 | v).to_bytes(65).hex()
    return {"market": market, "price": str(price), "publishedAt": published_at, "signature": signature}


class Place:
    """Where the replay is, kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step: int = json.loads(path.read_text())["step"] if path.exists() else 0

    def advance(self) -> None:
        self.step += 1
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"step": self.step}) + "\n")
        temporary.replace(self.path)


def main(
    rpc_url: Annotated[str, typer.Option(help="Node to push to.")] = "http://127.0.0.1:8545",
    deployment: Annotated[Path, typer.Option(help="Deployment record.")] = Path(".ouro/deployment.json"),
    state: Annotated[Path, typer.Option(help="File that remembers the place in the replay.")] = Path(".ouro/feed.json"),
    candle_seconds: Annotated[float, typer.Option(min=0.4, help="Seconds to show one candle for.")] = 8.0,
) -> None:
    """Push replayed prices until stopped."""
    log_to_stdout()
    stop = Stop()
    publisher = Publisher(Web3(Web3.HTTPProvider(rpc_url)), Deployment.load(deployment), wallet(Role.PRICE_SIGNER))
    replay = Replay(load_candles())
    place = Place(state)
    log.info("replaying from step %d (%s)", place.step, replay.candle(place.step).time)
    sent: str | None = None
    while not stop.wait(candle_seconds / STEPS_PER_CANDLE):
        started = time.monotonic()
        try:
            if sent is not None and publisher.failed(sent):
                log.warning("the oracle refused push %s", sent)
            sent = publisher.push(shocked(replay.prices(place.step), state.parent))
            publisher.publish(state.with_name("prices.json"))
        except CHAIN_TROUBLE as error:
            log.warning("push failed: %s", error)
            continue
        if sent is not None:
            place.advance()
        if place.step % 100 == 0:
            log.info(
                "step %d (%s), last push took %.2f s",
                place.step,
                replay.candle(place.step).time,
                time.monotonic() - started,
            )
    log.info("stopped at step %d", place.step)


if __name__ == "__main__":
    typer.run(main)
