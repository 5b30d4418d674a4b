# SPDX-License-Identifier: AGPL-3.0-only
"""Who plays: accounts with their own wallets, one of which signs as a browser does."""

import time
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro.client import OuroClient, SignedOrder
from ouro.client.contracts import rpc
from ouro.markets import Market
from stack.demo.story import DemoError
from stack.node import Node
from stack.wallets import MNEMONIC

LIFETIME_S = 6 * 3_600
"""Orders outlive the hours that the demo skips."""
ONE_SHOT_LIFETIME_S = 1_800

MAX_FEE_PPM = 500


class Part(IntEnum):
    """Index of each actor's account under the development mnemonic."""

    MAKER = 10
    SECOND_MAKER = 11
    TRADER = 12
    BROWSER_TRADER = 13
    GAMBLER = 14
    THIN_MAKER = 15


class Actor:
    """A wallet whose orders eth-account signs, through the SDK."""

    def __init__(self, part: Part, base_url: str, acknowledged: list[str], receipts: Path) -> None:
        Account.enable_unaudited_hdwallet_features()
        self.part = part
        self.account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{int(part)}")
        self.client = OuroClient(base_url, self.account, receipts=receipts)
        self.config = self.client.config()
        self._acknowledged = acknowledged

    @property
    def name(self) -> str:
        return self.part.name.lower().replace("_", " ")

    def deposit(self, usdc: int) -> None:
        """Take test money from the faucet and deposit it."""
        self.client.chain.faucet(usdc)
        self.client.chain.deposit(usdc)

    def market(self, ticker: str) -> Market:
        return self.config.market(ticker)

    def sign(
        self, ticker: str, side: str, lots: int, price: int, time_in_force: str = "GTT", post_only: bool = False
    ) -> SignedOrder:
        """An order in lots and price units; the price is put on the tick, never worse than asked."""
        market = self.market(ticker)
        on_tick = market.floor_to_tick(price) if side == "BUY" else market.ceil_to_tick(price)
        return self.client.orders.build_limit_order(
            ticker,
            side,
            market.size(lots),
            market.price(on_tick),
            time_in_force=time_in_force,
            post_only=post_only,
            expires_in_seconds=LIFETIME_S if time_in_force == "GTT" else self._skipped_s() + ONE_SHOT_LIFETIME_S,
            max_fee_ppm=MAX_FEE_PPM,
        )

    def _skipped_s(self) -> int:
        """How far the demo has moved the chain's clock ahead of the wallet's."""
        block = self.client.run(rpc(self.client.session, "eth_getBlockByNumber", "latest", False))
        return max(0, int(block["timestamp"], 16) - int(time.time()))

    def submit(self, signed: SignedOrder) -> str:
        """Send a signed order; its id, once it is acknowledged."""
        placed = self.client.orders.submit(signed)
        self._acknowledged.append(placed.id)
        return placed.id

    def place(
        self, ticker: str, side: str, lots: int, price: int, time_in_force: str = "GTT", post_only: bool = False
    ) -> str:
        """Sign and send; the order's id."""
        return self.submit(self.sign(ticker, side, lots, price, time_in_force, post_only))

    def equity(self) -> Decimal:
        """As the front door shows it."""
        return self.client.account.subaccount().equity


class BrowserActor:
    """A wallet that gets JSON and gives a signature, and a page that speaks plain HTTP: nothing of the SDK.

    The wallet is the node's own `eth_signTypedData_v4`, an implementation that shares no code with ours.
    """

    def __init__(self, address: str, base_url: str, node: Node, acknowledged: list[str]) -> None:
        self.address = address
        self._url = base_url
        self._node = node
        self._acknowledged = acknowledged
        self._config: dict[str, Any] = httpx.get(f"{base_url}/v4/config", timeout=10).json()

    def typed_data(self, ticker: str, side: str, lots: int, price: int, time_in_force: str = "IOC") -> dict[str, Any]:
        """The JSON that goes to the wallet."""
        now_ms = time.time_ns() // 1_000_000
        types = self._config["types"]
        return {
            "types": {name: types[name] for name in ("EIP712Domain", "Order")},
            "primaryType": "Order",
            "domain": self._config["domain"],
            "message": {
                "market": ticker,
                "side": side,
                "size": lots,
                "limitPrice": price,
                "timeInForce": time_in_force,
                "postOnly": False,
                "reduceOnly": False,
                "trigger": "NONE",
                "triggerPrice": 0,
                "maxFeePpm": MAX_FEE_PPM,
                "expiry": now_ms // 1_000 + (LIFETIME_S if time_in_force == "GTT" else ONE_SHOT_LIFETIME_S),
                "account": self.address,
                "subaccount": 0,
                "selfTrade": "CANCEL_TAKER",
                "slot": 0 if time_in_force != "GTT" else now_ms % 60_000 + 1,
                "generation": now_ms,
                "revision": 0,
                "referrer": 0,
            },
        }

    def sign(self, typed: dict[str, Any]) -> str:
        """What the wallet answers."""
        return str(self._node.call("eth_signTypedData_v4", self.address, typed))

    def post(self, message: dict[str, Any], signature: str) -> httpx.Response:
        """The page's request."""
        body = {"order": message, "signature": signature, "clientId": str(message["generation"])}
        return httpx.post(f"{self._url}/v4/orders", json=body, timeout=10)

    def place(self, ticker: str, side: str, lots: int, price: int, time_in_force: str = "IOC") -> str:
        """Sign and send; the order's id. Raises `DemoError` with the exchange's sentence if it says no."""
        typed = self.typed_data(ticker, side, lots, price, time_in_force)
        answer = self.post(typed["message"], self.sign(typed))
        if answer.status_code != httpx.codes.CREATED:
            raise DemoError(f"the exchange answered {answer.status_code}: {answer.text}")
        order_id: str = answer.json()["id"]
        self._acknowledged.append(order_id)
        return order_id
