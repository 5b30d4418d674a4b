# SPDX-License-Identifier: AGPL-3.0-only
"""Who may cancel, in what order, and what the clock takes away."""

from relayer.core.outputs import OrderOutput
from tests.unit.relayer_core.exchange_model import BTC_PRICE, EXCHANGE, Venue, address

P = BTC_PRICE


def test_cancel_takes_the_order_out(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P)
    ack = venue.cancel("maker", placed.order_id)
    assert (ack.ok, ack.order_status, ack.cancelled) == (True, "CANCELED", (placed.order_id,))
    assert venue.levels() == ([], [])
    again = venue.cancel("maker", placed.order_id)
    assert (again.http_status, again.error_code) == (409, "order_not_open")


def test_only_signer_or_owner_may_cancel(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P)
    ack = venue.cancel("maker", placed.order_id, signer=address("stranger"))
    assert (ack.http_status, ack.error_code) == (401, "not_authorised")
    assert venue.cancel("other", placed.order_id).error_code == "order_not_found"
    assert venue.status(placed)[0] == "OPEN"


def test_nonces_rise_strictly_over_all_cancels(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P)
    assert venue.cancel("maker", "0x" + "00" * 32, nonce=50).http_status == 404
    assert venue.cancel("maker", placed.order_id, nonce=50).error_code == "stale_nonce"
    assert venue.cancel("maker", placed.order_id, nonce=49).error_code == "stale_nonce"
    assert venue.cancel("maker", placed.order_id, nonce=51).ok


def test_cancel_by_client_id(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P, client_id="grid-7")
    assert venue.cancel_by_client_id("maker", "grid-7", address("stranger")).error_code == "not_authorised"
    assert venue.cancel_by_client_id("maker", "grid-8").http_status == 404
    assert venue.cancel_by_client_id("taker", "grid-7").http_status == 404
    ack = venue.cancel_by_client_id("maker", "grid-7")
    assert (ack.ok, ack.order_id, ack.cancelled) == (True, placed.order_id, (placed.order_id,))
    assert venue.levels() == ([], [])
    again = venue.cancel_by_client_id("maker", "grid-7")
    assert (again.http_status, again.error_code, again.param) == (409, "order_not_open", "clientId")


def test_cancel_all_in_one_market_or_in_all(venue: Venue) -> None:
    btc = venue.place("maker", "BUY", 5, P)
    eth = venue.place("maker", "BUY", 5, 1_600_000, market=2)
    assert venue.cancel_all("maker", "ETH-USD").cancelled == (eth.order_id,)
    assert venue.cancel_all("maker", "DOGE-USD").error_code == "unknown_market"
    assert venue.cancel_all("maker").cancelled == (btc.order_id,)


def test_dead_mans_switch_fires_unless_renewed_or_disarmed(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P)
    venue.cancel_all_after("maker", 5)
    venue.tick(4_000)
    venue.cancel_all_after("maker", 5)
    venue.tick(4_000)
    assert venue.status(placed)[0] == "OPEN"
    venue.tick(1_000)
    assert venue.status(placed) == ("CANCELED", 0, "cancel_all_after")
    second = venue.place("maker", "BUY", 5, P)
    venue.cancel_all_after("maker", 5)
    venue.cancel_all_after("maker", 0)
    venue.tick(60_000)
    assert venue.status(second)[0] == "OPEN"


def test_matching_stops_one_window_before_expiry(venue: Venue) -> None:
    now_s = venue.now_ms // 1000
    placed = venue.place("maker", "SELL", 5, P, expiry=now_s + 100)
    venue.tick(39_000)
    assert venue.status(placed)[0] == "OPEN"
    venue.tick(1_000)
    assert venue.status(placed) == ("CANCELED", 0, "expired")


def test_expired_orders_are_forgotten_and_stay_refused(venue: Venue) -> None:
    order = venue.order("maker", "SELL", 5, P, expiry=venue.now_ms // 1000 + 100)
    ack = venue.place_order(order, "9")
    venue.tick(200_000)
    assert venue.core.order(bytes.fromhex(ack.order_id[2:])) is None
    assert venue.core.order_by_client_id(address("maker"), 0, "9") is None
    assert venue.place_order(order, "9").error_code == "expired"


def test_cancels_on_chain_are_honoured_at_once(venue: Venue) -> None:
    first = venue.place("maker", "BUY", 5, P, slot=7)
    second = venue.place("maker", "BUY", 5, P, slot=8)
    stamp = venue.now_ms // 1000 + 10
    venue.log(EXCHANGE, "SlotCancelled", signer=address("maker"), slot=7, stamp=stamp, effective_at=stamp + 50)
    venue.mine()
    assert venue.status(first) == ("CANCELED", 0, "cancelled_on_chain")
    assert venue.status(second)[0] == "OPEN"


def test_what_a_cancel_says_to_the_log(venue: Venue) -> None:
    placed = venue.place("maker", "BUY", 5, P)
    venue.cancel("maker", placed.order_id)
    last = [output for output in venue.outputs if isinstance(output, OrderOutput)][-1]
    assert (last.order.id, last.order.status, last.order.reason) == (placed.order_id, "CANCELED", "user_cancelled")


def test_closed_orders_are_forgotten_after_a_while_and_stay_refused(venue: Venue) -> None:
    order = venue.order("maker", "SELL", 5, P, expiry=venue.now_ms // 1000 + 86_400)
    ack = venue.place_order(order, "9")
    venue.cancel("maker", ack.order_id)
    venue.tick(3_700_000)
    venue.push(1, P)
    venue.mine()
    assert venue.core.order(bytes.fromhex(ack.order_id[2:])) is None
    assert venue.place_order(order, "9").error_code == "signed_too_long_ago"


def test_closed_orders_are_forgotten_and_stay_refused_whatever_their_age() -> None:
    venue = Venue(max_order_age_ms=0)
    venue.deposit("maker")
    order = venue.order("maker", "SELL", 5, P, expiry=venue.now_ms // 1000 + 86_400)
    venue.cancel("maker", venue.place_order(order, "9").order_id)
    venue.tick(3_700_000)
    venue.push(1, P)
    venue.mine()
    assert venue.place_order(order, "9").error_code == "stale_generation"


def test_refused_strangers_leave_nothing_behind(venue: Venue) -> None:
    before = len(venue.core._state.accounts)
    assert not venue.place("stranger", "BUY", 5, P).ok
    assert not venue.reserve("stranger", 5).ok
    assert len(venue.core._state.accounts) == before


def test_timers_do_not_pile_up(venue: Venue) -> None:
    far = venue.now_ms // 1000 + 80 * 86_400
    for _ in range(800):
        ack = venue.place("maker", "BUY", 1, P, slot=1, expiry=far)
        venue.cancel("maker", ack.order_id)
    venue.tick(4_000_000)
    venue.tick(1)
    state = venue.core._state
    assert state.orders == {}
    assert len(state.expiries) + len(state.forgettings) < 2_100
