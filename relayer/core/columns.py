# SPDX-License-Identifier: AGPL-3.0-only
"""Many objects of one class as columns of values: what a snapshot of a million orders is fast with.

A column that has the same value everywhere is written once; one of `shared` values (owners, reasons, other objects)
as the different values in order of their first use, and an index each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Convert = Mapping[str, Callable[[Any], Any]]
"""How the values of a shared attribute are written, or read back; those not named are plain themselves."""


class Columns(Generic[T]):
    """Which attributes of a class are written. `derived` ones are set by whoever loads."""

    def __init__(self, kind: type[T], *, plain: Sequence[str], shared: Sequence[str], derived: Sequence[str]) -> None:
        self.kind = kind
        self.plain = tuple(plain)
        self.shared = tuple(shared)
        self.derived = tuple(derived)

    def dump(self, objects: Sequence[T], to_plain: Convert) -> list[object]:
        """The number of objects, then per attribute its different values (nil: one each) and the values or indices."""
        columns: list[object] = [len(objects)]
        for name in self.plain:
            values = list(map(attrgetter(name), objects))
            is_uniform = bool(values) and values.count(values[0]) == len(values)
            columns.append((values[:1], None) if is_uniform else (None, values))
        for name in self.shared:
            places: dict[object, int] = {}
            place = places.setdefault
            indices = [place(value, len(places)) for value in map(attrgetter(name), objects)]
            convert = to_plain.get(name)
            different = list(places) if convert is None else [convert(value) for value in places]
            columns.append((different, None if len(different) == 1 else indices))
        return columns

    def load(self, columns: Sequence[Any], from_plain: Convert) -> list[T]:
        """The objects again, without their derived attributes; `__init__` is not called."""
        count: int = columns[0]
        new = self.kind.__new__
        objects = [new(self.kind) for _ in range(count)]
        for name, (different, values) in zip((*self.plain, *self.shared), columns[1:], strict=True):
            convert = from_plain.get(name)
            if different is None:
                found = values
            else:
                table = different if convert is None else [convert(value) for value in different]
                found = repeat(table[0]) if values is None and table else map(table.__getitem__, values or ())
            # A deque that keeps nothing runs the map without a step of Python for each object.
            deque(map(getattr(self.kind, name).__set__, objects, found), maxlen=0)
        return objects
