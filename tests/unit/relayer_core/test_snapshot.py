# SPDX-License-Identifier: AGPL-3.0-only
"""Snapshots: every attribute of the state is written or derived, and a restored core continues identically."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from random import Random
from typing import Any

import msgspec
import pytest

from relayer.core import Core, snapshot
from relayer.core.book import BookSide, Level
from relayer.core.columns import Columns
from relayer.core.config import CoreConfig
from relayer.core.fills import FillQueue
from relayer.core.matching import Matcher
from relayer.core.orders import LiveOrder
from relayer.core.shadow import Shadow
from relayer.core.watches import PriceWatch
from relayer.core.wide import decode, encode
from tests.unit.relayer_core.exchange_model import Venue
from tests.unit.relayer_core.scenario import Day

PLAIN = (int, str, bytes, bool, type(None), frozenset)
OPAQUE = (CoreConfig, Matcher)
"""Made anew from the configuration."""
WRITTEN_WHOLE: dict[type, tuple[str, ...]] = {
    FillQueue: ("_fills",),
    Shadow: ("pending", "time_s", "venues", "ledger", "_fees", "_buffer_ppm"),
}


def day(seed: int, steps: int) -> Day:
    made = Day(Random(seed))
    for _ in range(steps):
        made.step()
    return made


def attributes(value: object) -> tuple[str, ...]:
    compiled: tuple[str, ...] | None = getattr(value, "__mypyc_attrs__", None)
    if compiled is not None:
        return compiled
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return (*slots, *getattr(value, "__dict__", {}))


def is_value(value: object) -> bool:
    """Frozen, and written whole."""
    frozen = isinstance(value, msgspec.Struct) and type(value).__struct_config__.frozen
    return isinstance(value, PLAIN) or frozen or isinstance(value, Enum) or is_dataclass(value)


def objects_of(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Everything that the state is made of, once."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or is_value(each):
            continue
        seen[id(each)] = each
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
        else:
            yield each
            if not isinstance(each, OPAQUE):
                waiting += [getattr(each, name) for name in attributes(each)]


def test_every_attribute_of_the_state_is_written_or_derived() -> None:
    kinds: set[type] = set()
    for each in objects_of(day(3, 300).venue.core._state, {}):
        kind = type(each)
        if kind.__name__ in ("ShadowAccount", "Level", "SortedKeys", "PriceWatch", "_Direction") or isinstance(
            each, OPAQUE
        ):
            continue  # caches, and the insides of a book
        kinds.add(kind)
        assert kind in snapshot.FIELDS or kind in WRITTEN_WHOLE, f"{kind} is part of the state: write it in a snapshot"
        fields = snapshot.FIELDS.get(kind) or snapshot.Fields(WRITTEN_WHOLE[kind])
        known = {*fields.written, *fields.derived}
        assert set(attributes(each)) == known, f"{kind.__name__}: see relayer/core/snapshot.py"
    assert {kind.__name__ for kind in kinds} >= {kind.__name__ for kind in snapshot.FIELDS} - {"Reservation"}


TIMERS_AND_CACHES = {
    "AccountEntry": ("shadow",),
    "State": ("expiries", "forgettings", "disarms"),
    "Waiting": ("times", "dirty"),
    "FeeSchedule": ("_cache",),
}
WAITING = ("watches", "leaving", "backlog", "children", "successors", "groups")
IN_ANY_ORDER = (*WAITING, "slots", "nonces", "spent", "key_reserved", "reserved", "client_ids", "pending", "disarms")
"""Tables that are only looked into."""


def flat(core: Core) -> Any:
    """The state as something that can be compared: each object once, by its attributes."""
    seen: dict[int, int] = {}

    def plain(value: Any) -> Any:
        if is_value(value):
            return value
        if isinstance(value, dict):
            return [(plain(key), plain(each)) for key, each in value.items()]
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        if isinstance(value, OPAQUE):
            return type(value).__name__
        if id(value) in seen:
            return f"object {seen[id(value)]}"
        seen[id(value)] = len(seen)
        if isinstance(value, BookSide):
            return [(level.price, level.lots, [order.id for order in queue(level)]) for level in value]
        if isinstance(value, PriceWatch):
            return [
                sorted((key, [order.id for order in level]) for key, level in each._levels.items())
                for each in (value._rising, value._falling)
            ]
        return [type(value).__name__, *(attribute(value, name) for name in sorted(attributes(value)))]

    def attribute(value: Any, name: str) -> Any:
        found = getattr(value, name)
        if name in TIMERS_AND_CACHES.get(type(value).__name__, ()):
            return name
        if name in ("before", "after"):
            return name, found and found.id
        if name == "level":
            return name, found and found.price
        if name in IN_ANY_ORDER:
            found = dict(sorted(found.items(), key=lambda item: item[0]))
            if name in ("children", "groups"):
                found = {key: sorted(order.id for order in orders.values()) for key, orders in found.items()}
        return name, plain(found)

    return plain(core._state)


def queue(level: Level) -> Iterator[LiveOrder]:
    order = level.first
    while order is not None:
        yield order
        order = order.after


@pytest.mark.parametrize("seed", range(6))
def test_a_restored_state_is_the_same_object_by_object(seed: int) -> None:
    core = day(seed, 60 * (seed + 1)).venue.core
    again = Core.restore(core.config, core.dump())
    assert flat(again) == flat(core)


@pytest.mark.parametrize("seed", range(8))
def test_a_restored_core_continues_identically(seed: int) -> None:
    """Every few steps the core is replaced by what its snapshot gives, while another goes straight on."""
    rng = Random(seed)
    made = Day(Random(seed))
    straight = Core(made.venue.config)
    done = restored = 0
    for _ in range(250):
        made.step()
        if rng.random() < 0.03:
            made.venue.tick(rng.choice([600_000, 2_000_000, 4_000_000]))  # orders are forgotten, too
            made._fresh()
        outputs = [straight.apply(item) for item in made.venue.inputs[done:]]
        said = sum(len(each) for each in outputs)
        assert [output for each in outputs for output in each] == made.venue.outputs[len(made.venue.outputs) - said :]
        done = len(made.venue.inputs)
        if rng.random() < 0.2:
            made.venue.core = Core.restore(made.venue.config, made.venue.core.dump())
            restored += 1
    assert restored > 20
    assert len(straight._state.orders) < straight._state.placed, "nothing was forgotten"
    assert made.venue.core.trail_hash() == straight.trail_hash()
    assert made.venue.core.state_hash() == straight.state_hash()


def test_a_dump_does_not_depend_on_when_dead_timers_are_swept() -> None:
    core = day(5, 200).venue.core
    before = core.dump()
    state = core._state
    state.forgettings = [each for each in state.forgettings if each[2] in state.orders]
    state.expiries = [each for each in state.expiries if each[2] in state.orders and state.orders[each[2]].is_live]
    assert core.dump() == before


def test_a_snapshot_under_other_fees_goes_on_with_them() -> None:
    venue = Venue()
    venue.deposit("maker")
    venue.deposit("taker")
    venue.place("maker", "SELL", 10, 2_300_000)
    cheaper = msgspec.structs.replace(venue.config, taker_fee_ppm=100)
    venue.core = Core.restore(cheaper, venue.core.dump())
    venue.place("taker", "BUY", 10, 2_300_000)
    batch = venue.core.next_batch()
    assert batch is not None
    assert [fill.taker_fee_ppm for fill in batch.fills] == [100]


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_bytes_that_are_no_snapshot_are_refused(cut: int) -> None:
    venue = Venue()
    venue.deposit("maker")
    venue.place("maker", "SELL", 10, 2_300_000)
    with pytest.raises(ValueError, match="not a snapshot"):
        Core.restore(venue.config, venue.core.dump()[:cut])


def test_integers_of_any_width_survive() -> None:
    numbers = [0, -1, 2**63, 2**64, -(2**63), -(2**63) - 1, 2**127, -(2**127), 2**255 - 1, -(2**64)]
    assert decode(encode((numbers, True, "text", b"bytes", None))) == [numbers, True, "text", b"bytes", None]


class Thing:
    __slots__ = ("name", "number")

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number


@pytest.mark.parametrize("things", [[], [("a", 1)], [("a", 1), ("a", 1)], [("a", 1), ("b", 1), ("a", 2)]])
def test_columns_give_the_objects_again(things: list[tuple[str, int]]) -> None:
    table = Columns(Thing, plain=("number",), shared=("name",), derived=())
    written = decode(encode(table.dump([Thing(*each) for each in things], {"name": str.upper})))
    assert [(each.name, each.number) for each in table.load(written, {"name": str.lower})] == things
