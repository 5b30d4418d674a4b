# SPDX-License-Identifier: AGPL-3.0-only
"""The bots that only look: alarms of the watchdog, and orders that were triggered and did not settle."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from keeper.alarms import WAITING, Alarm, AlarmBoard, Notice, Webhook
from keeper.ports import SystemClock
from keeper.triggers import OrderFileError, TriggerWatcher, read_orders
from keeper.watchdog import Limits, Watchdog
from ouro import eip712
from ouro.orders import Order
from tests.integration.keeper.conftest import BTC, LIQUIDATOR, LONG, PRICE, SHORT, Venue
from tests.support.wire import Fill, sign_order
from tests.support.wire import Order as WireOrder

NOTHING = Limits(None, None, None, None, None, None, None, sources=False)


class _Clock(SystemClock):
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.shows = 0.0

    def now(self) -> float:
        return self.shows


def watchdog(venue: Venue, clock: _Clock | None = None, relayer: Any = None, **limits: Any) -> Watchdog:
    tools = venue.tools()
    settings = replace(NOTHING, **limits)
    return Watchdog(tools.surveyor, clock or _Clock(), AlarmBoard(), LIQUIDATOR.address, settings, relayer)


def alarms(bot: Watchdog) -> dict[str, str]:
    bot.round()
    return {alarm.name: alarm.text for alarm in bot.board.on()}


def test_an_old_price_is_an_alarm_until_the_next_one(venue: Venue) -> None:
    bot = watchdog(venue, price_age_ppm=800_000)
    venue.push(PRICE)
    assert alarms(bot) == {}
    venue.node.rpc.warp(100)
    assert alarms(bot).keys() == {"price BTC-USD", "price ETH-USD"}
    venue.push(PRICE)
    assert alarms(bot) == {}


def test_a_thin_fund_and_low_gas_money_are_alarms(venue: Venue) -> None:
    operator = venue.system.keys.operator.address
    bot = watchdog(venue, min_insurance=5_000_000, min_operator_wei=10**30, min_own_wei=10**30)
    assert alarms(bot).keys() == {"insurance", f"gas {operator}", f"gas {LIQUIDATOR.address}"}
    venue.system.donate(SHORT.address, 5_000_000)
    assert "insurance" not in alarms(bot)
    assert alarms(watchdog(venue, min_operator_wei=10**17, min_own_wei=10**16)) == {}


def test_an_account_that_nobody_takes_over_is_an_alarm(venue: Venue) -> None:
    bot = watchdog(venue, liquidatable_s=30)
    venue.push(PRICE * 96 // 100)
    assert alarms(bot) == {}
    venue.node.rpc.warp(30)
    venue.push(PRICE * 96 // 100)
    assert alarms(bot).keys() == {f"account {LONG.address}/0"}
    venue.keeper().round()
    assert alarms(bot) == {}


def test_a_long_silence_of_the_operators_is_an_alarm(venue: Venue) -> None:
    bot = watchdog(venue, silence_s=3_600)
    assert alarms(bot) == {}
    venue.node.rpc.warp(3_600)
    assert alarms(bot).keys() == {"settlement silence"}


def test_fills_that_wait_without_a_batch_are_an_alarm(venue: Venue) -> None:
    clock, state = _Clock(), {"ready": True, "unsettledFills": 3}
    bot = watchdog(venue, clock, lambda: state, unsettled_s=30)
    assert alarms(bot) == {}
    clock.shows = 31
    assert "3 fills wait" in alarms(bot)["settlement"]
    venue.trade(SHORT, LONG, 1, PRICE)
    assert alarms(bot) == {}, "a batch came"
    clock.shows = 62
    assert alarms(bot).keys() == {"settlement"}
    state["unsettledFills"] = 0
    assert alarms(bot) == {}


def test_a_relayer_that_is_not_ready_or_not_there_is_an_alarm(venue: Venue) -> None:
    def gone() -> dict[str, Any]:
        raise httpx.ConnectError("refused")

    assert "does not answer" in alarms(watchdog(venue, relayer=gone))["relayer"]
    unready = watchdog(venue, relayer=lambda: {"ready": False, "reason": "chain_behind"})
    assert alarms(unready)["relayer"] == "takes no orders: chain_behind"


@contextmanager
def listening(
    status: int = 200, before: Callable[[], object] = lambda: None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP server that does something before it answers, and the JSON bodies that were posted to it."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            before()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Not on the test's terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?secret=7", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_alarms_are_told_once_when_they_begin_and_once_when_they_end() -> None:
    with listening() as (url, bodies):
        hook = Webhook(url)
        board = AlarmBoard(hook)
        for _ in range(3):
            board.report("watchdog", [Alarm("insurance", "thin")])
        board.report("triggers", [])
        board.report("watchdog", [])
        hook.close()
    assert [(body["alarm"], body["raised"]) for body in bodies] == [("insurance", True), ("insurance", False)]
    assert bodies[0]["text"] == "Ouro keeper: ALARM insurance: thin"


def test_a_webhook_that_fails_stops_nothing_and_leaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with listening(500) as (url, bodies):
        hook = Webhook(url)
        hook(Notice(Alarm("insurance", "thin"), is_raised=True))
        hook.close()
    hook = Webhook(url)
    hook(Notice(Alarm("insurance", "thin"), is_raised=True))
    hook.close()
    assert len(bodies) == 1
    assert caplog.text.count("the webhook failed") == 2
    assert "secret" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("keeper"))


@pytest.mark.timeout(60)
def test_found_a_slow_webhook_does_not_keep_the_keeper_from_its_work(caplog: pytest.LogCaptureFixture) -> None:
    """In a crash there are many alarms, and each one waited for the webhook."""
    opened = threading.Event()
    with listening(before=lambda: opened.wait(50)) as (url, bodies):
        hook = Webhook(url)
        for number in range(WAITING + 3):
            hook(Notice(Alarm(f"account {number}", "below maintenance"), is_raised=True))
        assert "not told of account" in caplog.text
        opened.set()
        hook.close()
    assert WAITING <= len(bodies) <= WAITING + 2


def stop_loss(venue: Venue, **changes: Any) -> WireOrder:
    """The long's order to sell once the index price is a hundredth lower."""
    now = venue.node.rpc.now
    order = WireOrder(
        "BTC-USD", "SELL", 100, PRICE * 95 // 100, LONG.address, now * 1000, now + 3_600, slot=900, reduce_only=True
    )
    return replace(order, trigger="AT_OR_BELOW", trigger_price=PRICE * 99 // 100, **changes)


def body(venue: Venue, order: WireOrder) -> str:
    """As it is sent to the exchange."""
    parsed = Order.from_message(order.message())
    digest = eip712.order_digest(venue.deployment.domain(), parsed)
    return json.dumps({"order": parsed.message(), "signature": "0x" + eip712.sign(digest, bytes(LONG.key)).hex()})


def watcher(venue: Venue, path: Path) -> TriggerWatcher:
    return TriggerWatcher(venue.tools().surveyor, venue.deployment, AlarmBoard(), path, patience_s=30)


def reported(bot: TriggerWatcher) -> list[str]:
    bot.round()
    return [alarm.name for alarm in bot.board.on()]


def test_a_triggered_order_that_does_not_settle_is_reported(venue: Venue, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    bot = watcher(venue, path)
    venue.push(PRICE)
    assert reported(bot) == []
    order = stop_loss(venue)
    path.write_text(body(venue, order) + "\n")
    [watched] = read_orders(path, venue.deployment)
    assert reported(bot) == []
    venue.push(PRICE * 99 // 100)
    assert reported(bot) == []
    venue.node.rpc.warp(30)
    venue.push(PRICE * 99 // 100)
    assert reported(bot) == [f"order {watched.id}"]
    assert "nothing settled" in bot.board.on()[0].text
    venue.push(PRICE)
    assert reported(bot) == [], "the index price moved back"
    venue.push(PRICE * 98 // 100)
    assert reported(bot) == [], "it begins anew"


def test_an_order_that_settled_was_cancelled_or_expired_is_not_reported(venue: Venue, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    venue.push(PRICE * 99 // 100)
    filled, cancelled = stop_loss(venue), stop_loss(venue)
    cancelled = replace(cancelled, slot=901)
    one_shot = replace(filled, slot=0, time_in_force="IOC", generation=filled.generation + 1)
    expiring = replace(filled, slot=902, expiry=venue.node.rpc.now + 20)
    path.write_text("\n".join(body(venue, order) for order in (filled, cancelled, one_shot, expiring)))
    bot = watcher(venue, path)
    bot.round()
    other = WireOrder("BTC-USD", "BUY", 200, PRICE, SHORT.address, filled.generation, filled.expiry, slot=903)
    words = [
        sign_order(LONG, venue.system.domain, filled, BTC),
        sign_order(LONG, venue.system.domain, one_shot, BTC),
        sign_order(SHORT, venue.system.domain, other, BTC),
    ]
    price = PRICE * 99 // 100
    logs = venue.system.settle(words, [Fill(801, price, 100, 0, 2), Fill(802, price, 100, 1, 2)])
    assert not [log for log in logs if log.name == "FillRejected"], logs
    venue.system.exchange.send(LONG.address).cancel_slot(901)
    venue.node.rpc.warp(60)
    venue.push(price)
    assert reported(bot) == []


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"order": {}, "signature": "0x"}'])
def test_a_line_that_is_no_order_is_named(venue: Venue, tmp_path: Path, line: str) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text("\n" + line)
    with pytest.raises(OrderFileError, match="line 2 of"):
        read_orders(path, venue.deployment)
