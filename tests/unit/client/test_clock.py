# SPDX-License-Identifier: AGPL-3.0-only
"""Numbers that must not repeat."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ouro.client.clock import MAX_SLOT, MillisecondClock, SlotPicker, random_client_id


def test_clock_is_strictly_increasing_over_threads():
    clock = MillisecondClock()
    with ThreadPoolExecutor(4) as threads:
        drawn = [
            number
            for numbers in threads.map(lambda _: [clock.next() for _ in range(500)], range(4))
            for number in numbers
        ]
    assert len(set(drawn)) == 2000


def test_slots_do_not_repeat_within_memory():
    picker = SlotPicker(memory=1000)
    drawn = [picker.draw() for _ in range(1000)]
    assert len(set(drawn)) == 1000
    assert all(1 <= slot <= MAX_SLOT for slot in drawn)


def test_offered_slots_are_taken():
    assert {SlotPicker().draw([5, 6]) for _ in range(50)} == {5, 6}


def test_client_ids_fit_32_bits():
    assert all(0 <= int(random_client_id()) < 1 << 32 for _ in range(100))
