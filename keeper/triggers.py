# SPDX-License-Identifier: AGPL-3.0-only
"""Watches orders with a signed trigger: reports those that the index price lets trade and that did not settle.

No keeper can fire such an order: it trades in the operator's book, and only an operator settles. What can be done from
outside is to notice, from the chain alone, that nothing came of it: nobody stood at the order's limit, or the operator
holds it back. The orders are those of a file, one signed order per line, as they are sent to the exchange.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keeper.alarms import Alarm, AlarmBoard
from keeper.functions import SLOT
from keeper.outcome import Outcome
from keeper.reading import View, ask
from keeper.survey import MarketView, Survey, Surveyor
from ouro import eip712
from ouro.codec import unpack_slot
from ouro.deployment import Deployment
from ouro.orders import Order, OrderError, Trigger

NAME = "triggers"


class OrderFileError(Exception):
    """A line of the file that is no signed order."""


@dataclass(frozen=True)
class WatchedOrder:
    """A signed order with a trigger, its id, and the key whose slot counts its fills."""

    id: str
    order: Order
    signer: str


def read_orders(path: Path, deployment: Deployment) -> list[WatchedOrder]:
    """The orders of a file that have a trigger; none when there is no file yet. Raises `OrderFileError`."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_parse(json.loads(line), deployment))
            except (ValueError, KeyError, TypeError, OrderError, eip712.SignatureError) as error:
                raise OrderFileError(f"line {number} of {path} is no signed order: {error}") from error
    return [watched for watched in found if watched.order.trigger is not Trigger.NONE]


def _parse(body: Mapping[str, Any], deployment: Deployment) -> WatchedOrder:
    order = Order.from_message(body["order"])
    digest = eip712.order_digest(deployment.domain(), order)
    signer = eip712.recover(digest, bytes.fromhex(str(body["signature"]).removeprefix("0x")))
    return WatchedOrder("0x" + digest.hex(), order, signer)


def is_reached(order: Order, market: MarketView) -> bool:
    """Whether the index price lets the order trade."""
    if not market.is_fresh:
        return False
    if order.trigger is Trigger.AT_OR_ABOVE:
        return market.price >= order.trigger_price
    return market.price <= order.trigger_price


class TriggerWatcher:
    """Reports orders that nothing came of within `patience_s` of block time."""

    name = NAME

    def __init__(
        self, surveyor: Surveyor, deployment: Deployment, board: AlarmBoard, path: Path, *, patience_s: int = 60
    ) -> None:
        self.surveyor = surveyor
        self.deployment = deployment
        self.board = board
        self.path = path
        self.patience_s = patience_s
        self._since: dict[str, int] = {}

    def round(self) -> list[Outcome]:
        """Look, and report. Raises `ChainError`, `OrderFileError`."""
        survey = self.surveyor.survey()
        waiting = self.waiting(survey, read_orders(self.path, self.deployment))
        self.board.report(NAME, [self._alarm(watched, since) for watched, since in waiting])
        return []

    def waiting(self, survey: Survey, orders: Iterable[WatchedOrder]) -> list[tuple[WatchedOrder, int]]:
        """Orders whose trigger has been reached for `patience_s` without a fill, and since when (s)."""
        now = survey.head.time_s
        by_ticker = {view.ticker: view for view in survey.markets.values()}
        reached = [
            watched
            for watched in orders
            if watched.order.expiry >= now
            and watched.order.market in by_ticker
            and is_reached(watched.order, by_ticker[watched.order.market])
        ]
        unsettled = self._unsettled(survey, reached, by_ticker)
        self._since = {watched.id: self._since.get(watched.id, now) for watched in unsettled}
        return [
            (watched, self._since[watched.id])
            for watched in unsettled
            if now - self._since[watched.id] >= self.patience_s
        ]

    def _unsettled(
        self, survey: Survey, orders: list[WatchedOrder], by_ticker: Mapping[str, MarketView]
    ) -> list[WatchedOrder]:
        """Those of which the chain knows neither a fill nor a cancel nor a newer order in the same slot."""
        exchange = self.surveyor.exchange
        slotted = [watched for watched in orders if watched.order.slot]
        views: list[View] = [(exchange, SLOT, (watched.signer, watched.order.slot)) for watched in slotted]
        used = set()
        for watched, [word] in zip(slotted, ask(self.surveyor.chain, views, survey.head), strict=True):
            slot, order = unpack_slot(word), watched.order
            is_newer = (slot.generation, slot.revision) > (order.generation, order.revision)
            has_fills = slot.generation == order.generation and slot.filled > 0
            if is_newer or has_fills or order.generation <= slot.cancel * 1000:
                used.add(watched.id)
        for watched in orders:
            if not watched.order.slot and self._one_shot_ms(watched.order, by_ticker) >= watched.order.generation:
                used.add(watched.id)
        return [watched for watched in orders if watched.id not in used]

    def _one_shot_ms(self, order: Order, by_ticker: Mapping[str, MarketView]) -> int:
        """Generation of the newest one-shot order that the position has settled; from the events."""
        account = self.surveyor.watch.ledger.accounts.get((order.account, order.subaccount))
        word = None if account is None else account.positions.get(by_ticker[order.market].id)
        return 0 if word is None else word.one_shot_ms

    def _alarm(self, watched: WatchedOrder, since: int) -> Alarm:
        order = watched.order
        text = (
            f"{order.side} {order.size} lots of {order.market} ({order.trigger} {order.trigger_price}) has been "
            f"triggered since {since} and nothing settled: nobody at its limit, or the operator holds it back"
        )
        return Alarm(f"order {watched.id}", text)
