# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that wait: for a price, a time, another order; and orders that end one another."""

from typing import Any

import pytest

from relayer.core.firing import MAX_FIRED
from relayer.core.outputs import Ack, OrderOutput
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import START_MS, Venue, address

BELOW, ABOVE = "AT_OR_BELOW", "AT_OR_ABOVE"


def raw(ack: Ack) -> bytes:
    """The id of an order that was taken."""
    assert ack.ok, ack
    return bytes.fromhex(ack.order_id[2:])


def move(venue: Venue, price: int, market: int = 1) -> None:
    """A new index price, in a block of its own."""
    venue.tick(1_000)
    venue.push(market, price)
    venue.mine()


def status(venue: Venue, ack: Ack) -> str:
    return venue.status(ack)[0]


def reason(venue: Venue, ack: Ack) -> str:
    return venue.status(ack)[2]


def stop(venue: Venue, role: str, size: int, at: int, **fields: Any) -> Ack:
    """A stop that sells: a limit far enough below the trigger to be filled."""
    return venue.place(role, "SELL", size, at - 20_000, **({"trigger": BELOW, "trigger_price": at} | fields))


def long(venue: Venue, role: str, size: int) -> None:
    """A position, settled."""
    venue.place("other", "SELL", size, P)
    venue.place(role, "BUY", size, P, time_in_force="IOC")
    venue.settle()


class TestTriggers:
    def test_a_stop_waits_unseen_and_fires_when_the_index_price_gets_there(self, venue: Venue) -> None:
        long(venue, "taker", 10)
        venue.place("maker", "BUY", 50, P - 15_000)
        placed = stop(venue, "taker", 10, P - 10_000, reduce_only=True)
        assert placed.order_status == "UNTRIGGERED"
        assert venue.levels() == ([(P - 15_000, 50)], [])
        move(venue, P - 9_900)
        assert status(venue, placed) == "UNTRIGGERED"
        move(venue, P - 10_000)
        assert venue.status(placed) == ("FILLED", 10, "")
        assert all(isinstance(each, Executed) for each in venue.settle())
        assert venue.core.unsettled == 0

    def test_the_chain_settles_it(self, venue: Venue) -> None:
        """The model of the contract asks the trigger again, and would reject a fill too early."""
        long(venue, "taker", 10)
        venue.place("maker", "BUY", 10, P - 15_000)
        stop(venue, "taker", 10, P - 10_000, reduce_only=True)
        move(venue, P - 10_000)
        venue.model.push(1, P, venue.now_ms // 1000 + 1)
        venue.model.now += 1
        outcomes = venue.settle(mine=False)
        assert [next(iter(each)).reason for each in outcomes if isinstance(each, set)] == ["not triggered"]

    @pytest.mark.parametrize(
        ("side", "trigger", "immediate", "kind"),
        [
            ("SELL", BELOW, False, "STOP_LIMIT"),
            ("BUY", ABOVE, False, "STOP_LIMIT"),
            ("SELL", BELOW, True, "STOP_MARKET"),
            ("SELL", ABOVE, False, "TAKE_PROFIT"),
            ("BUY", BELOW, False, "TAKE_PROFIT"),
            ("BUY", BELOW, True, "TAKE_PROFIT_MARKET"),
        ],
    )
    def test_kinds(self, venue: Venue, side: str, trigger: str, immediate: bool, kind: str) -> None:
        at = P + 10_000 if trigger == ABOVE else P - 10_000
        placed = venue.place("taker", side, 5, at, trigger=trigger, trigger_price=at, immediate=immediate)
        state = venue.core.order(raw(placed))
        assert state is not None
        assert (state.type, state.status, state.trigger, state.trigger_price) == (kind, "UNTRIGGERED", trigger, at)
        move(venue, at)
        expected = ("CANCELED", 0, "immediate_remainder") if immediate else ("OPEN", 0, "")
        assert venue.status(placed) == expected

    def test_one_whose_trigger_holds_enters_at_once(self, venue: Venue) -> None:
        placed = venue.place("taker", "BUY", 5, P - 100, trigger=BELOW, trigger_price=P)
        assert placed.order_status == "OPEN"
        assert venue.levels()[0] == [(P - 100, 5)]

    def test_a_market_kind_takes_what_is_there(self, venue: Venue) -> None:
        venue.place("maker", "BUY", 4, P - 12_000)
        placed = stop(venue, "taker", 10, P - 10_000, immediate=True)
        move(venue, P - 10_000)
        assert venue.status(placed) == ("CANCELED", 4, "immediate_remainder")

    def test_fire_in_the_order_in_which_the_price_reaches_them_then_of_placement(self, venue: Venue) -> None:
        venue.place("maker", "BUY", 25, P - 15_000)
        far = stop(venue, "taker", 10, P - 9_000, immediate=True)
        near_late = stop(venue, "other", 10, P - 8_000, immediate=True)
        near_later = stop(venue, "taker", 10, P - 8_000, immediate=True)
        move(venue, P - 10_000)
        assert [venue.status(each)[1] for each in (near_late, near_later, far)] == [10, 10, 5]

    def test_what_is_refused_then_ends_with_that_reason(self, venue: Venue) -> None:
        venue.deposit("poor", 300)
        dear = stop(venue, "poor", 90_000, P - 10_000)
        reducing = stop(venue, "taker", 10, P - 10_000, reduce_only=True)
        wide = venue.place("taker", "SELL", 5, P // 2, trigger=BELOW, trigger_price=P - 10_000)
        maker = venue.place("maker", "BUY", 5, P - 30_000)
        shy = venue.place("taker", "SELL", 5, P - 30_000, trigger=BELOW, trigger_price=P - 10_000, post_only=True)
        assert {status(venue, each) for each in (dear, reducing, wide, shy)} == {"UNTRIGGERED"}
        move(venue, P - 10_000)
        reasons = [reason(venue, each) for each in (dear, reducing, wide, shy)]
        assert reasons == ["insufficient_margin", "reduce_only_no_position", "price_band", "post_only_would_cross"]
        assert venue.status(maker) == ("OPEN", 0, "")

    def test_reserve_nothing_while_they_wait(self, venue: Venue) -> None:
        before = venue.core.withdrawable(address("taker"), 0)
        stop(venue, "taker", 100, P - 10_000)
        assert venue.core.withdrawable(address("taker"), 0) == before
        move(venue, P - 10_000)
        assert venue.core.withdrawable(address("taker"), 0) < before

    def test_a_resting_one_leaves_the_book_when_the_price_moves_back(self, venue: Venue) -> None:
        """The chain would reject its fills: nobody may be matched with it until the price is there again."""
        placed = venue.place("taker", "SELL", 10, P - 5_000, trigger=BELOW, trigger_price=P - 10_000)
        free = venue.core.withdrawable(address("taker"), 0)
        move(venue, P - 10_000)
        assert venue.levels() == ([], [(P - 5_000, 10)])
        move(venue, P - 9_999)
        assert (status(venue, placed), venue.levels()) == ("UNTRIGGERED", ([], []))
        assert venue.core.withdrawable(address("taker"), 0) == free
        move(venue, P - 10_001)
        assert (status(venue, placed), venue.levels()) == ("OPEN", ([], [(P - 5_000, 10)]))

    def test_a_stale_market_keeps_them_waiting(self, venue: Venue) -> None:
        placed = venue.place("taker", "BUY", 5, P, not_before_ms=venue.now_ms + 200_000)
        late = venue.place("taker", "SELL", 5, P, trigger=BELOW, trigger_price=P - 1_000)
        venue.tick(200_001)
        assert status(venue, placed) == "UNTRIGGERED"
        stale = venue.place("other", "SELL", 5, P - 20_000, trigger=BELOW, trigger_price=P)
        assert stale.order_status == "UNTRIGGERED"
        venue.push(1, P)
        venue.mine()
        assert [status(venue, each) for each in (placed, late, stale)] == ["FILLED", "UNTRIGGERED", "FILLED"]

    def test_a_price_move_fires_only_so_many_at_a_time(self, venue: Venue) -> None:
        placed = [stop(venue, "taker", 1, P - 10_000, immediate=True) for _ in range(MAX_FIRED + 5)]
        move(venue, P - 10_000)
        assert [status(venue, each) for each in placed].count("CANCELED") == MAX_FIRED
        assert venue.core.is_firing
        venue.tick()
        assert not venue.core.is_firing
        assert {status(venue, each) for each in placed} == {"CANCELED"}

    def test_a_backlog_keeps_them_waiting(self) -> None:
        venue = Venue(max_unsettled_fills=2)
        for role in ("maker", "taker", "other"):
            venue.deposit(role)
        for _ in range(2):
            venue.place("maker", "SELL", 5, P)
            venue.place("taker", "BUY", 5, P, time_in_force="IOC")
        venue.place("maker", "BUY", 5, P - 15_000)
        placed = stop(venue, "other", 5, P - 10_000)
        move(venue, P - 10_000)
        assert status(venue, placed) == "UNTRIGGERED"
        venue.settle()
        assert status(venue, placed) == "FILLED"


class TestEnds:
    @pytest.mark.parametrize("how", ["id", "all", "switch", "chain", "expiry"])
    def test_every_cancel_takes_one_that_waits(self, venue: Venue, how: str) -> None:
        placed = stop(venue, "taker", 10, P - 10_000)
        expected = "user_cancelled"
        match how:
            case "id":
                assert venue.cancel("taker", placed.order_id).cancelled == (placed.order_id,)
            case "all":
                assert venue.cancel_all("taker").cancelled == (placed.order_id,)
            case "switch":
                venue.cancel_all_after("taker", 1)
                venue.tick(1_001)
                expected = "cancel_all_after"
            case "chain":
                stamp = venue.now_ms // 1000 + 10
                venue.log(
                    venue.config.exchange,
                    "AllCancelled",
                    account=address("taker"),
                    subaccount=0,
                    stamp=stamp,
                    effective_at=stamp + 50,
                )
                venue.mine()
                expected = "cancelled_on_chain"
            case _:
                venue.tick(3_600_000)
                expected = "expired"
        assert venue.status(placed) == ("CANCELED", 0, expected)
        said = len(venue.outputs)
        move(venue, P - 10_000)
        assert not any(isinstance(output, OrderOutput) for output in venue.outputs[said:])

    def test_the_slot_is_held(self, venue: Venue) -> None:
        stop(venue, "taker", 10, P - 10_000, slot=7)
        refused = venue.place("taker", "BUY", 1, P - 500, slot=7)
        assert (refused.http_status, refused.error_code) == (409, "slot_taken")
        assert 7 not in refused.free_slots

    def test_they_count_among_the_open_orders(self) -> None:
        venue = Venue(max_open_orders=2)
        venue.deposit("taker")
        stop(venue, "taker", 1, P - 10_000)
        stop(venue, "taker", 1, P - 10_000)
        refused = stop(venue, "taker", 1, P - 10_000)
        assert (refused.http_status, refused.error_code) == (422, "too_many_orders")
        move(venue, P - 10_000)
        assert len(venue.levels()[1]) == 1

    def test_nobody_is_told_of_what_never_was_live(self, venue: Venue) -> None:
        placed = stop(venue, "taker", 10, P - 10_000)
        fired = stop(venue, "taker", 10, P - 5_000)
        venue.cancel("taker", placed.order_id)
        move(venue, P - 5_000)
        said: dict[str, list[tuple[str, bool]]] = {}
        for output in venue.outputs:
            if isinstance(output, OrderOutput):
                said.setdefault(output.order.id, []).append((output.order.status, output.order.private))
        assert said[placed.order_id] == [("UNTRIGGERED", True), ("CANCELED", True)]
        assert said[fired.order_id] == [("UNTRIGGERED", True), ("OPEN", False)]

    def test_the_same_again_gets_the_same_answer(self, venue: Venue) -> None:
        order = venue.order("taker", "SELL", 10, P - 20_000, trigger=BELOW, trigger_price=P - 10_000)
        first, second = venue.place_order(order, "7"), venue.place_order(order, "7")
        assert (first.order_id, first.order_status) == (second.order_id, second.order_status)


class TestTimes:
    def test_children_of_a_twap_trade_one_after_another(self, venue: Venue) -> None:
        venue.place("maker", "SELL", 25, P)
        children = [
            venue.place("taker", "BUY", 10, P, immediate=True, not_before_ms=venue.now_ms + 1_000 * step)
            for step in range(1, 4)
        ]
        state = venue.core.order(raw(children[0]))
        assert state is not None
        assert state.type == "TWAP_SUBORDER"
        filled = []
        for _ in range(4):
            filled.append([venue.status(each)[1] for each in children])
            venue.tick(1_000)
        assert filled == [[0, 0, 0], [10, 0, 0], [10, 10, 0], [10, 10, 5]]
        assert venue.status(children[2]) == ("CANCELED", 5, "immediate_remainder")

    def test_a_time_that_has_passed_is_no_condition(self, venue: Venue) -> None:
        placed = venue.place("taker", "BUY", 10, P, not_before_ms=START_MS)
        assert placed.order_status == "OPEN"

    def test_immediate_alone(self, venue: Venue) -> None:
        venue.place("maker", "SELL", 3, P)
        placed = venue.place("taker", "BUY", 10, P, immediate=True)
        assert (placed.order_status, placed.filled, placed.reason) == ("CANCELED", 3, "immediate_remainder")


class TestBrackets:
    def bracket(self, venue: Venue, size: int = 10, **entry: Any) -> tuple[Ack, Ack, Ack]:
        """An entry at P, a take-profit 10,000 above and a stop 10,000 below."""
        parent = venue.place("taker", "BUY", size, P, **entry)
        fields = {"reduce_only": True, "parent": raw(parent), "oco": "exit"}
        profit = venue.place("taker", "SELL", size, P + 10_000, trigger=ABOVE, trigger_price=P + 10_000, **fields)
        loss = stop(venue, "taker", size, P - 10_000, **fields)
        return parent, profit, loss

    def test_children_wait_for_the_entry_and_one_ends_the_other(self, venue: Venue) -> None:
        parent, profit, loss = self.bracket(venue)
        move(venue, P - 10_000)
        assert (status(venue, parent), status(venue, loss)) == ("OPEN", "UNTRIGGERED")
        move(venue, P)
        venue.place("maker", "SELL", 10, P, time_in_force="IOC")
        venue.settle()
        assert (status(venue, parent), status(venue, profit), status(venue, loss)) == (
            "FILLED",
            "UNTRIGGERED",
            "UNTRIGGERED",
        )
        venue.place("maker", "BUY", 10, P - 15_000)
        move(venue, P - 10_500)
        assert venue.status(loss) == ("FILLED", 10, "")
        assert venue.status(profit) == ("CANCELED", 0, "oco")
        assert all(isinstance(each, Executed) for each in venue.settle())

    def test_an_entry_that_ends_without_a_fill_takes_its_children_along(self, venue: Venue) -> None:
        parent, profit, loss = self.bracket(venue)
        venue.cancel("taker", parent.order_id)
        assert {reason(venue, each) for each in (profit, loss)} == {"parent_ended"}

    def test_an_entry_filled_in_part_is_closed_in_part(self, venue: Venue) -> None:
        long(venue, "taker", 30)
        parent, profit, loss = self.bracket(venue)
        venue.place("maker", "SELL", 4, P, time_in_force="IOC")
        move(venue, P - 10_000)
        assert status(venue, loss) == "UNTRIGGERED"
        venue.settle()
        venue.cancel("taker", parent.order_id)
        assert status(venue, loss) == "OPEN"
        assert venue.levels()[1] == [(P - 30_000, 4)]
        assert status(venue, profit) == "UNTRIGGERED"
        venue.place("maker", "BUY", 50, P - 30_000, time_in_force="IOC")
        assert (status(venue, loss), reason(venue, profit)) == ("FILLED", "oco")

    def test_an_entry_that_fills_at_once(self, venue: Venue) -> None:
        venue.place("maker", "SELL", 10, P)
        parent, _, loss = self.bracket(venue, time_in_force="IOC")
        assert status(venue, parent) == "FILLED"
        move(venue, P - 10_000)
        assert status(venue, loss) == "OPEN"

    def test_an_entry_whose_fill_the_chain_undoes(self, venue: Venue) -> None:
        venue.place("maker", "SELL", 10, P)
        parent, profit, loss = self.bracket(venue, time_in_force="IOC")
        built = venue.build()
        fill = venue.fills[0]
        venue.reject(fill.fill_id, 1, "bad signature", venue.orders[fill.taker].id)
        venue.batch_settled(built, 0, 1)
        venue.mine()
        assert status(venue, parent) == "CANCELED"
        assert {reason(venue, each) for each in (profit, loss)} == {"parent_ended"}

    def test_children_that_cannot_be(self, venue: Venue) -> None:
        parent = venue.place("taker", "BUY", 10, P - 1_000)
        other = venue.place("other", "BUY", 10, P - 1_000)
        fields = {"reduce_only": True, "trigger": BELOW, "trigger_price": P - 10_000}
        refused = [
            venue.place("taker", "SELL", 10, P, **(fields | {"parent": raw(parent), "reduce_only": False})),
            venue.place("taker", "BUY", 10, P, **(fields | {"parent": raw(parent)})),
            venue.place("taker", "SELL", 10, P, market=2, **(fields | {"parent": raw(parent)})),
            venue.place("taker", "SELL", 10, P, **(fields | {"parent": raw(other)})),
        ]
        assert [(each.http_status, each.error_code) for each in refused] == [
            (400, "child_not_reduce_only"),
            (400, "child_mismatch"),
            (400, "child_mismatch"),
            (404, "parent_not_found"),
        ]
        venue.cancel("taker", parent.order_id)
        late = venue.place("taker", "SELL", 10, P, **(fields | {"parent": raw(parent)}))
        assert (late.http_status, late.error_code) == (409, "parent_ended")


class TestGroups:
    def test_a_fill_ends_siblings_that_could_open_risk(self, venue: Venue) -> None:
        first = venue.place("taker", "BUY", 10, P - 1_000, oco="entry")
        second = venue.place("taker", "BUY", 10, P - 2_000, oco="entry")
        apart = venue.place("taker", "BUY", 10, P - 2_000, oco="another")
        venue.place("maker", "SELL", 3, P - 1_000, time_in_force="IOC")
        assert venue.status(first) == ("OPEN", 3, "")
        assert venue.status(second) == ("CANCELED", 0, "oco")
        assert status(venue, apart) == "OPEN"

    def test_one_taker_never_fills_two(self, venue: Venue) -> None:
        first = venue.place("taker", "BUY", 10, P - 1_000, oco="entry")
        second = venue.place("taker", "BUY", 10, P - 2_000, oco="entry")
        last = venue.place("other", "BUY", 10, P - 3_000)
        venue.place("maker", "SELL", 15, P - 3_000, time_in_force="IOC")
        assert [venue.status(each) for each in (first, second, last)] == [
            ("FILLED", 10, ""),
            ("CANCELED", 0, "oco"),
            ("OPEN", 5, ""),
        ]

    def test_reduce_only_siblings_stay_until_one_is_filled(self, venue: Venue) -> None:
        long(venue, "taker", 10)
        profit = venue.place("taker", "SELL", 10, P + 1_000, reduce_only=True, oco="exit")
        loss = stop(venue, "taker", 10, P - 10_000, reduce_only=True, oco="exit")
        venue.place("maker", "BUY", 4, P + 1_000, time_in_force="IOC")
        assert (status(venue, profit), status(venue, loss)) == ("OPEN", "UNTRIGGERED")
        venue.place("maker", "BUY", 6, P + 1_000, time_in_force="IOC")
        assert reason(venue, loss) == "oco"

    def test_a_resting_sibling_does_not_keep_a_stop_from_resting(self, venue: Venue) -> None:
        """Both offer the whole position; together they are still one exit."""
        long(venue, "taker", 10)
        profit = venue.place("taker", "SELL", 10, P + 1_000, reduce_only=True, oco="exit")
        loss = venue.place(
            "taker", "SELL", 10, P - 10_000, reduce_only=True, oco="exit", trigger=BELOW, trigger_price=P - 10_000
        )
        move(venue, P - 10_000)
        move(venue, P - 10_000)
        assert venue.levels()[1] == [(P - 10_000, 10), (P + 1_000, 10)]
        venue.place("maker", "BUY", 10, P - 10_000, time_in_force="IOC")
        assert (status(venue, loss), reason(venue, profit)) == ("FILLED", "oco")

    def test_nothing_left_to_reduce(self, venue: Venue) -> None:
        """A stop larger than the position ends with it; the take-profit beside it must not lie in wait for the next."""
        long(venue, "taker", 10)
        loss = stop(venue, "taker", 30, P - 10_000, reduce_only=True, immediate=True, oco="exit")
        profit = venue.place(
            "taker", "SELL", 30, P + 10_000, trigger=ABOVE, trigger_price=P + 10_000, reduce_only=True, oco="exit"
        )
        venue.place("maker", "BUY", 50, P - 20_000)
        move(venue, P - 10_000)
        assert venue.status(loss) == ("CANCELED", 10, "immediate_remainder")
        assert reason(venue, profit) == "oco"

    def test_are_bounded(self, venue: Venue) -> None:
        for step in range(10):
            assert venue.place("taker", "BUY", 1, P - 1_000 - 100 * step, oco="many").ok
        refused = venue.place("taker", "BUY", 1, P - 5_000, oco="many")
        assert (refused.http_status, refused.error_code) == (422, "oco_group_full")


class TestRejections:
    def fired(self, venue: Venue, **fields: Any) -> tuple[Ack, Ack]:
        """A stop that is matched, and its maker."""
        long(venue, "taker", 10)
        maker = venue.place("maker", "BUY", 10, P - 15_000)
        placed = stop(venue, "taker", 10, P - 10_000, reduce_only=True, **fields)
        move(venue, P - 10_000)
        assert status(venue, placed) == "FILLED"
        return placed, maker

    def reject(self, venue: Venue, *, final: bool) -> None:
        """The index price moved back before the batch landed, and stays there. Final: the fill is tried again."""
        built = venue.build()
        venue.tick(1_000)
        venue.push(1, P)
        venue.reject(venue.fills[0].fill_id, 3, "not triggered")
        venue.batch_settled(built, 0, 1)
        venue.mine(final=len(venue.blocks) + 1 if final else 0)

    @pytest.mark.parametrize("final", [False, True])
    @pytest.mark.parametrize("immediate", [False, True])
    def test_a_stop_that_came_too_late_for_the_chain_waits_anew(
        self, venue: Venue, immediate: bool, final: bool
    ) -> None:
        placed, maker = self.fired(venue, immediate=immediate)
        self.reject(venue, final=final)
        assert status(venue, placed) == "FILLED"
        venue.tick(60_000)
        venue.push(1, P)
        venue.mine()
        assert (status(venue, placed), venue.status(placed)[1]) == ("UNTRIGGERED", 0)
        assert venue.status(maker) == ("OPEN", 0, "")
        move(venue, P - 11_000)
        assert venue.status(placed) == ("FILLED", 10, "")
        assert all(isinstance(each, Executed) for each in venue.settle())

    def test_a_resting_stop_that_came_too_late_does_not_end_its_taker(self, venue: Venue) -> None:
        long(venue, "taker", 10)
        placed = venue.place("taker", "SELL", 10, P - 10_000, trigger=BELOW, trigger_price=P - 10_000, reduce_only=True)
        move(venue, P - 10_000)
        buyer = venue.place("maker", "BUY", 10, P - 10_000)
        assert status(venue, buyer) == "FILLED"
        self.reject(venue, final=False)
        venue.tick(60_000)
        venue.push(1, P)
        venue.mine()
        assert (status(venue, placed), status(venue, buyer)) == ("UNTRIGGERED", "OPEN")

    def test_a_stop_outlives_a_rejection_for_its_accounts_sake(self, venue: Venue) -> None:
        long(venue, "taker", 10)
        protecting = stop(venue, "taker", 10, P - 10_000, reduce_only=True)
        resting = venue.place("taker", "BUY", 10, P)
        venue.place("maker", "SELL", 5, P, time_in_force="IOC")
        built = venue.build()
        venue.reject(venue.fills[0].fill_id, 2, "margin", raw(resting))
        venue.batch_settled(built, 0, 1)
        venue.mine()
        assert (status(venue, resting), status(venue, protecting)) == ("CANCELED", "UNTRIGGERED")

    def test_a_reorg_that_takes_the_price_back(self, venue: Venue) -> None:
        placed = venue.place("taker", "SELL", 10, P - 5_000, trigger=BELOW, trigger_price=P - 10_000)
        before = len(venue.blocks)
        move(venue, P - 10_000)
        assert status(venue, placed) == "OPEN"
        venue.revert(before)
        assert (status(venue, placed), venue.levels()) == ("UNTRIGGERED", ([], []))
        venue.mine()
        move(venue, P - 10_000)
        assert status(venue, placed) == "OPEN"

    def test_a_match_stands_through_a_reorg(self, venue: Venue) -> None:
        long(venue, "taker", 10)
        venue.place("maker", "BUY", 10, P - 15_000)
        placed = stop(venue, "taker", 10, P - 10_000, reduce_only=True)
        before = len(venue.blocks)
        move(venue, P - 10_000)
        venue.revert(before)
        assert status(venue, placed) == "FILLED"
        venue.mine()
        move(venue, P - 10_000)
        assert all(isinstance(each, Executed) for each in venue.settle())
