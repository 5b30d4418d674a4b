# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that a session key signs: what it may sign for, up to its budget, until it ends."""

import pytest

from relayer.core.outputs import Ack
from tests.reference.exchange import Executed
from tests.reference.sessions import Key
from tests.unit.relayer_core.exchange_model import BTC_PRICE, ETH_PRICE, EXCHANGE, Venue, address

P = BTC_PRICE
KEY = address("session key")
DAY = 86_400


def register(venue: Venue, *, markets: tuple[int, ...] = (), budget: int = 100 * P, seconds: int = DAY) -> None:
    """The taker lets the key sign."""
    expiry = venue.now_ms // 1000 + seconds
    taker = address("taker")
    venue.model.register_session_key(taker, KEY, Key(expiry, budget, markets), 1)
    packed = 0
    for market in markets:
        packed = packed << 16 | market
    terms = {"markets": packed, "budget": budget, "expiry": expiry, "nonce": 1}
    venue.log(EXCHANGE, "SessionKeyRegistered", account=taker, key=KEY, **terms)
    venue.mine()


def revoke(venue: Venue) -> None:
    taker = address("taker")
    effective_at = venue.model.revoke_session_key(taker, KEY, taker)
    venue.log(EXCHANGE, "SessionKeyRevoked", account=taker, key=KEY, effective_at=effective_at)
    venue.mine()


def place(venue: Venue, side: str, size: int, price: int, **fields: object) -> Ack:
    """By the key, for the taker."""
    return venue.place_order(venue.order("taker", side, size, price, **fields), signer=KEY)


def test_a_key_that_nobody_registered_signs_nothing(venue: Venue) -> None:
    ack = place(venue, "BUY", 5, P)
    assert (ack.http_status, ack.error_code) == (401, "bad_signature")


def test_a_key_of_another_account_signs_nothing(venue: Venue) -> None:
    register(venue)
    ack = venue.place_order(venue.order("maker", "BUY", 5, P), signer=KEY)
    assert (ack.http_status, ack.error_code) == (401, "bad_signature")


@pytest.mark.parametrize("kind", ["GTT", "IOC", "FOK"])
def test_an_order_of_a_key_settles(venue: Venue, kind: str) -> None:
    register(venue)
    venue.place("maker", "SELL", 5, P)
    ack = place(venue, "BUY", 5, P, time_in_force=kind)
    assert (ack.order_status, ack.filled) == ("FILLED", 5)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    assert venue.model.accounts[address("taker"), 0].position(1).size == 5


def test_a_resting_order_of_a_key_is_matched(venue: Venue) -> None:
    register(venue)
    assert place(venue, "BUY", 5, P).order_status == "OPEN"
    venue.place("maker", "SELL", 5, P)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_owner_and_key_may_both_cancel_it(venue: Venue) -> None:
    register(venue)
    by_owner, by_key = (place(venue, "BUY", 1, P) for _ in range(2))
    assert venue.cancel("taker", by_owner.order_id).ok
    assert venue.cancel("taker", by_key.order_id, signer=KEY).ok


def test_only_its_markets(venue: Venue) -> None:
    register(venue, markets=(1,))
    ack = place(venue, "BUY", 1, ETH_PRICE, market=2)
    assert (ack.http_status, ack.error_code) == (422, "key_market")
    assert place(venue, "BUY", 1, P).ok


def test_no_order_outlives_its_key(venue: Venue) -> None:
    register(venue, seconds=600)
    now = venue.now_ms // 1000
    assert place(venue, "BUY", 1, P, expiry=now + 601).error_code == "key_expiry"
    assert place(venue, "BUY", 1, P, expiry=now + 600).ok


def test_open_orders_and_fills_share_the_budget(venue: Venue) -> None:
    register(venue, budget=10 * P)
    venue.place("maker", "SELL", 4, P)
    assert place(venue, "BUY", 4, P).filled == 4
    resting = place(venue, "BUY", 5, P - 100)
    assert resting.order_status == "OPEN"
    refused = place(venue, "BUY", 2, P - 100)
    assert (refused.http_status, refused.error_code) == (422, "key_budget")
    assert venue.cancel("taker", resting.order_id).ok
    venue.place("maker", "SELL", 6, P)
    assert place(venue, "BUY", 6, P).filled == 6
    assert place(venue, "BUY", 1, P - 100).error_code == "key_budget"
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_a_sale_above_its_limit_stops_where_the_budget_ends(venue: Venue) -> None:
    """Its limit says less than what it fills at: the chain counts the latter."""
    register(venue, budget=10 * (P - 10_000))
    venue.place("maker", "BUY", 10, P)
    ack = place(venue, "SELL", 10, P - 10_000)
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 9, "key_budget")
    assert venue.levels() == ([(P, 1)], [])
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_a_sale_that_got_more_than_its_limit_leaves_no_rest_beyond_the_budget(venue: Venue) -> None:
    register(venue, budget=10 * (P - 10_000))
    venue.place("maker", "BUY", 9, P)
    ack = place(venue, "SELL", 10, P - 10_000)
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 9, "key_budget")


def test_what_is_undone_is_not_spent(venue: Venue) -> None:
    register(venue, budget=5 * P)
    maker = venue.place("maker", "SELL", 5, P)
    place(venue, "BUY", 5, P, time_in_force="IOC")
    assert place(venue, "BUY", 1, P).error_code == "key_budget"
    built = venue.build()
    venue.reject(1, 1, "cancelled", bytes.fromhex(maker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert place(venue, "BUY", 5, P - 100).ok


def test_a_revoked_key_loses_its_orders_at_once(venue: Venue) -> None:
    register(venue)
    resting = place(venue, "BUY", 5, P)
    own = venue.place("taker", "BUY", 5, P)
    revoke(venue)
    assert venue.status(resting) == ("CANCELED", 0, "key_revoked")
    assert venue.status(own)[0] == "OPEN"
    ack = place(venue, "BUY", 5, P)
    assert (ack.http_status, ack.error_code) == (401, "key_revoked")


def test_a_match_of_a_moment_before_the_revocation_settles(venue: Venue) -> None:
    register(venue)
    venue.place("maker", "SELL", 5, P)
    place(venue, "BUY", 5, P)
    revoke(venue)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_a_reorg_that_takes_the_key_takes_its_orders(venue: Venue) -> None:
    before = len(venue.blocks)
    register(venue)
    resting = place(venue, "BUY", 5, P)
    venue.revert(before)
    assert venue.status(resting) == ("CANCELED", 0, "key_revoked")
    assert place(venue, "BUY", 5, P).error_code == "bad_signature"


def test_cancel_all_of_a_key_takes_its_own_orders_only(venue: Venue) -> None:
    register(venue)
    by_owner = venue.place("taker", "BUY", 5, P - 100)
    by_key = place(venue, "BUY", 5, P - 200, slot=9)
    assert venue.cancel_all("taker", signer=address("stranger")).error_code == "not_authorised"
    assert venue.cancel_all("maker", signer=KEY).error_code == "not_authorised"
    assert venue.cancel_all("taker", signer=KEY).cancelled == (by_key.order_id,)
    assert venue.status(by_owner)[0] == "OPEN"


def test_cancel_all_of_the_owner_takes_those_of_keys_too(venue: Venue) -> None:
    register(venue)
    by_key = place(venue, "BUY", 5, P - 200)
    assert venue.cancel_all("taker").cancelled == (by_key.order_id,)


def test_a_key_and_its_owner_have_a_switch_each(venue: Venue) -> None:
    register(venue)
    by_owner = venue.place("taker", "BUY", 5, P - 100)
    by_key = place(venue, "BUY", 5, P - 200, slot=9)
    venue.cancel_all_after("taker", 20)
    venue.cancel_all_after("taker", 5, signer=KEY)
    venue.cancel_all_after("taker", 10, signer=KEY)
    venue.tick(9_000)
    assert venue.status(by_key)[0] == "OPEN"
    venue.tick(1_000)
    assert venue.status(by_key) == ("CANCELED", 0, "cancel_all_after")
    assert venue.status(by_owner)[0] == "OPEN"
    venue.tick(10_000)
    assert venue.status(by_owner) == ("CANCELED", 0, "cancel_all_after")


def test_a_disarmed_switch_of_a_key_leaves_the_owners_armed(venue: Venue) -> None:
    register(venue)
    by_key = place(venue, "BUY", 5, P - 200)
    venue.cancel_all_after("taker", 5)
    venue.cancel_all_after("taker", 0, signer=KEY)
    venue.tick(5_000)
    assert venue.status(by_key) == ("CANCELED", 0, "cancel_all_after")


def test_nonces_of_a_key_rise_strictly(venue: Venue) -> None:
    register(venue)
    nonce = venue.nonce()
    order = place(venue, "BUY", 5, P - 200)
    assert venue.cancel("taker", order.order_id, signer=KEY, nonce=nonce).ok
    again = venue.cancel("taker", order.order_id, signer=KEY, nonce=nonce)
    assert again.error_code == "stale_nonce"


def test_a_revoked_key_cancels_nothing(venue: Venue) -> None:
    register(venue)
    revoke(venue)
    assert venue.cancel_all("taker", signer=KEY).error_code == "not_authorised"
    assert venue.cancel_all_after("taker", 5, signer=KEY).error_code == "not_authorised"
