# SPDX-License-Identifier: AGPL-3.0-only
"""One block of decoded events, and the columns that every fact shares."""

from dataclasses import dataclass
from typing import Any

from indexer.views.rows import Row
from ouro.errors import OuroError
from ouro.events import Event

Reading = tuple[int, int, int]
"""Market, micro-USDC per lot (0: no price), second of publication: what an oracle answered that is asked."""


class StartBlockError(OuroError, LookupError):
    """An event speaks of what happened before the start block."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: the start block is too late. Set startBlock in the deployment record to the block of the "
            "deployment, or before it, and run `ouro indexer rebuild`"
        )


@dataclass(frozen=True)
class Block:
    """Header fields and the events of our contracts in log order. `prices` are those at the block, where the oracle
    tells none by events; `opens_minute`: it is the first block of its minute.
    """

    number: int
    hash: str
    parent_hash: str
    time_s: int
    events: tuple[Event, ...] = ()
    prices: tuple[Reading, ...] = ()
    opens_minute: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it leaves rows of its own: a price between two minutes only counts until the next one."""
        return bool(self.events) or (bool(self.prices) and self.opens_minute)


def fact(block: Block, event: Event, **columns: Any) -> Row:
    """A fact's row: where its event stands, and `columns`."""
    where = event.where
    return {
        "block_number": block.number,
        "log_index": where.log_index,
        "time_s": block.time_s,
        "transaction_hash": where.transaction_hash,
        **columns,
    }


def hex_of(word: bytes) -> str:
    """A hash as the API writes it."""
    return "0x" + word.hex()
