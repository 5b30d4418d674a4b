# SPDX-License-Identifier: AGPL-3.0-only
"""The stream of operations that every matching engine is given: 60% resting orders, 35% cancels, 5% that trade.

`steady`: about 2,000 orders rest; what trades takes five of them on average. `growing`: what trades takes one or two,
so that the book grows all along and ends with a fifth as many orders as there were operations, thousands on a price.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

PRICE, TICK = 2_300_000, 100
ACCOUNTS = 400
REACH = 60
"""Ticks on either side of the middle in which orders rest."""
STEADY = 2_000
SHAPES = ("steady", "growing")

Operation = tuple[str, int, int, bool, int, int]
"""add, take (immediate or cancel) or cancel; order number, account, sells, price, lots."""


@dataclass
class _Book:
    """Just enough of a book to know which orders still rest."""

    queues: dict[tuple[bool, int], dict[int, int]] = field(default_factory=dict)
    places: dict[int, tuple[bool, int]] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    resting: list[int] = field(default_factory=list)
    where: dict[int, int] = field(default_factory=dict)

    def add(self, number: int, account: int, sell: bool, price: int, lots: int) -> None:
        self.queues.setdefault((sell, price), {})[number] = lots
        self.places[number] = (sell, price)
        self.accounts[number] = account
        self.where[number] = len(self.resting)
        self.resting.append(number)

    def remove(self, number: int) -> None:
        del self.queues[self.places.pop(number)][number]
        at, last = self.where.pop(number), self.resting.pop()
        if last != number:
            self.resting[at] = last
            self.where[last] = at

    def take(self, sell: bool, account: int, price: int, lots: int) -> None:
        """Stops at an own order, as self-trade prevention does."""
        limits = range(PRICE + TICK * REACH, price - 1, -TICK) if sell else range(PRICE - TICK * REACH, price + 1, TICK)
        for limit in limits:
            queue = self.queues.get((not sell, limit), {})
            for number in list(queue):
                if self.accounts[number] == account or not lots:
                    return
                filled = min(lots, queue[number])
                lots -= filled
                queue[number] -= filled
                if not queue[number]:
                    self.remove(number)


def operations(count: int, shape: str) -> list[Operation]:
    """The same for the same arguments."""
    rng = Random(1)
    book = _Book()
    made: list[Operation] = []
    for number in range(1, count + 1):
        chance = rng.random()
        if chance < 0.35 and book.resting:
            order = book.resting[rng.randrange(len(book.resting))]
            made.append(("cancel", order, book.accounts[order], False, 0, 0))
            book.remove(order)
            continue
        account, sell = rng.randrange(ACCOUNTS), rng.random() < 0.5
        steps, lots = rng.randrange(1, REACH), rng.randrange(1, 20)
        if chance <= 0.95:
            price = PRICE + TICK * (steps if sell else -steps)
            made.append(("add", number, account, sell, price, lots))
            book.add(number, account, sell, price, lots)
        else:
            if shape == "steady":
                lots *= 10 if len(book.resting) > STEADY else 1
            price = PRICE + TICK * REACH * (-1 if sell else 1)
            made.append(("take", number, account, sell, price, lots))
            book.take(sell, account, price, lots)
    return made


def write(made: list[Operation], path: Path) -> None:
    """One operation a line, for peers in other languages."""
    path.write_text(
        "".join(f"{kind} {n} {who} {int(sell)} {price} {lots}\n" for kind, n, who, sell, price, lots in made)
    )


def read(path: Path) -> list[Operation]:
    """What `write` wrote."""
    made: list[Operation] = []
    for line in path.read_text().splitlines():
        kind, number, account, sell, price, lots = line.split()
        made.append((kind, int(number), int(account), sell == "1", int(price), int(lots)))
    return made
