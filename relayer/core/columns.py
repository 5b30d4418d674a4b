# SPDX-License-Identifier: AGPL-3.0-only
"""Many objects of one class as columns of values: what a snapshot of a million orders is fast with.

A column that has the same value everywhere is written once; one of `shared` values (owners, reasons, other objects)
as the different values in order of their first use, and an index each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Convert = Mapping[str, Callable[[Any], Any]]
"""How the values of an attribute are read back, those of a shared one also written; those not named are plain."""


class Columns(Generic[T]):
    """Which attributes of a class are written. `derived` ones are set by whoever loads."""

    def __init__(self, kind: type[T], *, plain: Sequence[str], shared: Sequence[str], derived: Sequence[str]) -> None:
        self.kind = kind
        self.plain = tuple(plain)
        self.shared = tuple(shared)
        self.derived = tuple(derived)
        self._build: Callable[[int, list[Iterable[Any]]], list[T]] = _builder(kind, (*self.plain, *self.shared))

    def dump(self, objects: Sequence[T], to_plain: Convert) -> list[object]:
        """The number of objects, then per attribute its different values (nil: one each) and the values or indices."""
        columns: list[object] = [len(objects)]
        for name in self.plain:
            values = list(map(attrgetter(name), objects))
            is_uniform = bool(values) and values.count(values[0]) == len(values)
            columns.append((values[:1], None) if is_uniform else (None, values))
        for name in self.shared:
            each = list(map(attrgetter(name), objects))
            found = list(dict.fromkeys(each))
            convert = to_plain.get(name)
            different = found if convert is None else [convert(value) for value in found]
            places = {value: place for place, value in enumerate(found)}
            columns.append((different, None if len(found) == 1 else list(map(places.__getitem__, each))))
        return columns

    def load(self, columns: Sequence[Any], from_plain: Convert) -> list[T]:
        """The objects again, without their derived attributes; `__init__` is not called."""
        count: int = columns[0]
        values: list[Iterable[Any]] = []
        for name, (different, each) in zip((*self.plain, *self.shared), columns[1:], strict=True):
            convert = from_plain.get(name)
            if different is None:
                values.append(each if convert is None else map(convert, each))
                continue
            table = different if convert is None else [convert(value) for value in different]
            values.append(repeat(table[0], count) if each is None and table else map(table.__getitem__, each or ()))
        return self._build(count, values)


def _builder(kind: type[T], names: Sequence[str]) -> Callable[[int, list[Iterable[Any]]], list[T]]:
    """A function that makes objects from columns. Written out, as one loop that sets each attribute by its name: three
    times as fast as a call for each of them.
    """
    targets = ", ".join(f"made.{name}" for name in names)
    source = f"""
def build(count, columns):
    objects = [new(kind) for _ in range(count)]
    for made, {targets} in zip(objects, *columns, strict=True):
        pass
    return objects
"""
    namespace: dict[str, Any] = {"kind": kind, "new": kind.__new__}
    exec(source, namespace)
    build: Callable[[int, list[Iterable[Any]]], list[T]] = namespace["build"]
    return build
