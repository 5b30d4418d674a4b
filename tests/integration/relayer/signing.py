# SPDX-License-Identifier: AGPL-3.0-only
"""Makes generated requests plausible: messages of funded accounts, with times of now, signed by their keys.

What a generator invents would fail at the signature for ever; what is made plausible gets as far as the book.
"""

from __future__ import annotations

from random import Random
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.integration.relayer.harness import (
    BTC_PRICE,
    CANCEL_ALL_AFTER_TYPE,
    CANCEL_ALL_TYPE,
    CANCEL_BY_CLIENT_ID_TYPE,
    CANCEL_TYPE,
    ETH_PRICE,
    Json,
    World,
)
from tests.support.wire import ORDER_TYPE, WITHDRAWAL_TYPE, sign

PRICES = {"BTC-USD": BTC_PRICE, "ETH-USD": ETH_PRICE}
KINDS = {
    "cancel": CANCEL_TYPE,
    "cancelByClientId": CANCEL_BY_CLIENT_ID_TYPE,
    "cancelAll": CANCEL_ALL_TYPE,
    "cancelAllAfter": CANCEL_ALL_AFTER_TYPE,
}


class Signing:
    """Some traders, and what they have placed by id."""

    def __init__(self, world: World, keys: list[LocalAccount], seed: int = 1) -> None:
        self._world = world
        self._keys = keys
        self._random = Random(seed)
        self.placed: dict[str, Json] = {}

    def improve(self, body: Any, order_id: str = "") -> Any:
        """The body with messages that their accounts signed; now and then as it came. `order_id` is the path's."""
        if not isinstance(body, dict) or self._random.random() < 0.1:
            return body
        if isinstance(body.get("orders"), list):
            return {**body, "orders": [self.improve(each) for each in body["orders"]]}
        if isinstance(body.get("cancels"), list):
            return {**body, "cancels": [self.improve(each) for each in body["cancels"]]}
        if isinstance(body.get("order"), dict):
            return self._order(body, order_id or body.get("replaces", ""))
        for name, kind in KINDS.items():
            if isinstance(body.get(name), dict):
                return self._cancel(body, name, kind, order_id)
        if isinstance(body.get("withdrawal"), dict):
            return self._withdrawal(body)
        return body

    def _order(self, body: Json, replaces: str) -> Json:
        known = self.placed.get(replaces)
        message = dict(body["order"])
        key = self._random.choice(self._keys)
        if known is not None:
            message = {**known, "size": self._random.randint(1, 300), "revision": known["revision"] + 1}
            key = next(each for each in self._keys if each.address == known["account"])
        else:
            market = self._random.choice(list(PRICES))
            now_ms = self._world.now_ms()
            sell = message.get("side") == "SELL"
            away = 100 * self._random.randint(-5, 20)
            message |= {
                "market": market,
                "account": key.address,
                "subaccount": 0,
                "size": self._random.randint(1, 300),
                "limitPrice": PRICES[market] + (away if sell else -away),
                "generation": now_ms,
                "expiry": now_ms // 1000 + 1_800,
                "maxFeePpm": 1_000,
                "revision": 0,
            }
            if self._random.random() < 0.8:
                # Most rest in the book, where there is more to do with them.
                message |= {"trigger": "NONE", "triggerPrice": 0, "referrer": 0, "reduceOnly": False, "postOnly": False}
                message |= {"timeInForce": "GTT", "slot": self._random.randint(1, 60_000)}
        improved = {name: value for name, value in body.items() if name in ("order", "signature")}
        if self._random.random() < 0.3:
            improved = body
        return {**improved, "order": message, "signature": self._signature(key, ORDER_TYPE, message)}

    def _cancel(self, body: Json, name: str, kind: str, order_id: str) -> Json:
        key = self._random.choice(self._keys)
        message = dict(body[name])
        if "orderId" in message and self.placed:
            message["orderId"] = order_id or self._random.choice(list(self.placed))
            known = self.placed.get(message["orderId"])
            key = next((each for each in self._keys if known and each.address == known["account"]), key)
        if "market" in message:
            message["market"] = self._random.choice(["", *PRICES])
        message |= {"account": key.address, "subaccount": 0, "nonce": self._world.now_ms()}
        return {**body, name: message, "signature": self._signature(key, kind, message)}

    def _withdrawal(self, body: Json) -> Json:
        key = self._random.choice(self._keys)
        now_ms = self._world.now_ms()
        message = {
            **body["withdrawal"],
            "account": key.address,
            "subaccount": 0,
            "amount": self._random.randint(0, 10**7),
            "to": key.address,
            "nonce": now_ms,
            "deadline": now_ms // 1000 + 60,
        }
        signature = self._signature(key, WITHDRAWAL_TYPE, message, vault=True)
        return {**body, "withdrawal": message, "signature": signature}

    def _signature(self, key: LocalAccount, kind: str, message: Json, *, vault: bool = False) -> str:
        types = dict(reversed(entry.split(" ")) for entry in kind[kind.index("(") + 1 : -1].split(","))
        domain = self._world.system.vault_domain if vault else self._world.system.domain
        try:
            typed = {name: _typed(types[name], value) for name, value in message.items()}
            return "0x" + sign(key, domain, kind, typed).bytes65.hex()
        except (AttributeError, KeyError, ValueError, TypeError, OverflowError):
            return "0x" + "11" * 65  # an invented field cannot be signed; the relayer has to say so

    def note(self, body: Any, response: Any) -> None:
        """Remembers an order that was accepted."""
        if response.status_code in (200, 201) and isinstance(body, dict) and "order" in body:
            told = response.json()
            if "id" in told:
                self.placed[told["id"]] = body["order"]


def _typed(kind: str, value: Any) -> Any:
    if kind.startswith("uint"):
        if isinstance(value, bool):
            raise TypeError("a truth value is no number")
        number = int(value)
        if not 0 <= number < 1 << int(kind[4:]):
            raise ValueError("too large")
        return number
    return bytes.fromhex(value[2:]) if kind == "bytes32" else value
