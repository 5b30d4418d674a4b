# SPDX-License-Identifier: AGPL-3.0-only
"""The chain tables as one thing: apply a block, take blocks back, know where we stand. Used by one thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update

from indexer.chain.rpc import Header
from indexer.store import bulk, outbox
from indexer.store.query import rows
from indexer.store.schema import (
    FACT,
    STATE,
    accounts,
    chain_cursor,
    contract_events,
    fills,
    markets,
    recent_blocks,
    settings,
    tables_of,
    trades,
    transfers,
    undo,
)
from indexer.store.unit import BlockUnit, StateCache, forget_undo, revert
from indexer.views.apply import apply_block
from indexer.views.block import Block
from indexer.views.custody import transfer_id
from indexer.views.markets import ORACLE
from indexer.views.notes import NAMING
from indexer.views.rows import Row
from ouro.errors import OuroError


class WrongDeploymentError(OuroError):
    """The database holds another deployment's data."""


@dataclass(frozen=True)
class Position:
    """How far the chain tables are: the last block applied, the newest of those that is final, changes so far."""

    number: int
    hash: str
    time_s: int
    final: int
    version: int


@dataclass(frozen=True)
class Limits:
    """Block numbers: `final` as the chain says, `kept` (<= final) the newest that can no longer be taken back here."""

    final: int
    kept: int


@dataclass(frozen=True)
class Reversal:
    """What a reorg took back: ids of fills and transfers by account, and of trades by market."""

    to_block: int
    fills: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    transfers: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    trades: dict[int, list[str]] = field(default_factory=dict)
    changed: set[tuple[str, int]] = field(default_factory=set)

    @property
    def accounts(self) -> set[tuple[str, int]]:
        """Every account that is not what it was."""
        return self.changed | self.fills.keys() | self.transfers.keys()


class Teller(Protocol):
    """Writes down what changed for whoever listens, in the transaction that changed it."""

    def block(self, connection: Connection, unit: BlockUnit) -> None:
        """A block was applied, and its rows are written."""

    def reversal(self, connection: Connection, reversal: Reversal) -> None:
        """Blocks were taken back."""

    def finality(self, connection: Connection, above: int, to: int) -> None:
        """The blocks after `above`, up to `to`, are final now."""


class ChainStore:
    """One writer's view of the chain tables. `deployment` names the contracts, so that two are never mixed. Without a
    `teller` whoever listens must begin anew after each change.
    """

    def __init__(self, engine: Engine, deployment: str, start_block: int, teller: Teller | None = None) -> None:
        self._engine = engine
        self._teller = teller
        self._deployment = deployment
        self._start_block = start_block
        self._cache = StateCache()

    def open(self) -> Position:
        """Where the tables stand; an empty database stands before the start block. To be called again after an error of
        the database, which may have written what it could not tell of. Raises `WrongDeploymentError`.
        """
        self._cache.clear()
        with self._engine.begin() as connection:
            row = connection.execute(select(chain_cursor)).first()
            if row is None:
                position = Position(self._start_block - 1, "", 0, self._start_block - 1, 0)
                connection.execute(
                    insert(chain_cursor), [{"id": 1, "deployment": self._deployment, **_cursor(position)}]
                )
                self._cache.begin()
                return position
            if row.deployment != self._deployment:
                raise WrongDeploymentError(
                    f"the database holds deployment {row.deployment}, not {self._deployment}: "
                    "use another database, or `ouro indexer rebuild`"
                )
            return Position(row.block_number, row.hash, row.time_s, row.final_block, row.version)

    def apply(self, block: Block, limits: Limits, observe: Callable[[BlockUnit], None] | None = None) -> Position:
        """Write one block in one transaction. `observe` sees its rows before they are committed."""
        keep_undo = block.number > limits.kept
        with self._engine.begin() as connection:
            outbox.lock(connection)
            unit = BlockUnit(connection, block.number, self._cache, keep_undo=keep_undo)
            apply_block(unit, block)
            if observe is not None:
                observe(unit)
            unit.flush()
            if keep_undo:
                _remember(connection, [block])
            was = connection.scalar(select(chain_cursor.c.final_block))
            position = self._moved(connection, block, limits.final)
            self._finish(connection, limits)
            if unit.is_changed and self._teller is not None:
                self._teller.block(connection, unit)
            elif unit.is_changed:
                outbox.begin_epoch(connection)
            # What is final as soon as it is there says so itself.
            self._tell_finality(connection, was, min(position.final, block.number - 1))
        unit.committed()
        return position

    def apply_final(
        self, blocks: Sequence[Block], to: Header, limits: Limits, observe: Callable[[BlockUnit], None] | None = None
    ) -> Position:
        """Write blocks that nobody can take back any more, and that all up to `to` is applied, in one transaction.

        No letters are written of them: whoever listens begins anew.
        """
        with self._engine.begin() as connection:
            outbox.lock(connection)
            outbox.begin_epoch(connection)
            unit = BlockUnit(connection, to.number, self._cache, keep_undo=False)
            for block in blocks:
                apply_block(unit, block)
            if observe is not None:
                observe(unit)
            unit.flush()
            _remember(connection, [to])
            position = self._moved(connection, to, limits.final)
            self._finish(connection, limits)
        unit.committed()
        return position

    def advance(self, headers: Sequence[Header], limits: Limits) -> Position:
        """Note that everything up to the last of `headers` is applied; blocks of which nothing was said held nothing of
        ours. Those above `limits.kept` must all be named: they may be taken back.
        """
        with self._engine.begin() as connection:
            outbox.lock(connection)
            was = connection.scalar(select(chain_cursor.c.final_block))
            _remember(connection, headers)
            position = self._moved(connection, headers[-1], limits.final)
            self._finish(connection, limits)
            self._tell_finality(connection, was, position.final)
        return position

    def finalise(self, to: Header, limits: Limits) -> Position:
        """Note that more of the blocks up to `to`, the last one applied, are final."""
        with self._engine.begin() as connection:
            outbox.lock(connection)
            was = connection.scalar(select(chain_cursor.c.final_block))
            position = self._moved(connection, to, limits.final)
            self._finish(connection, limits)
            self._tell_finality(connection, was, position.final)
        return position

    def _tell_finality(self, connection: Connection, was: int | None, now: int) -> None:
        if self._teller is not None and was is not None and now > was:
            self._teller.finality(connection, was, now)

    def named(self) -> list[str]:
        """The contracts that the exchange was told to rely on since its deployment: oracles and backstops."""
        query = select(contract_events.c.arguments).where(
            contract_events.c.name.in_([each.__name__ for each in NAMING])
        )
        with self._engine.begin() as connection:
            return sorted({address for text in connection.scalars(query) for address in json.loads(text).values()})

    def pricing(self) -> tuple[str, tuple[int, ...]]:
        """The contract that says prices (empty: none yet), and the markets."""
        with self._engine.begin() as connection:
            oracle = connection.scalar(select(settings.c.value).where(settings.c.name == ORACLE))
            return oracle or "", tuple(connection.scalars(select(markets.c.market).order_by(markets.c.market)))

    def recent(self) -> list[Header]:
        """The blocks that can still be taken back, newest first."""
        query = select(recent_blocks).order_by(recent_blocks.c.block_number.desc())
        with self._engine.begin() as connection:
            return [
                Header(row.block_number, row.hash, row.parent_hash, row.time_s) for row in connection.execute(query)
            ]

    def revert(self, above: Header) -> tuple[Reversal, Position]:
        """Take back every block above `above`, which stays."""
        with self._engine.begin() as connection:
            outbox.lock(connection)
            reversal = Reversal(above.number)
            for table, found in ((fills, reversal.fills), (transfers, reversal.transfers)):
                query = select(table).where(table.c.block_number > above.number)
                for row in rows(connection, query):
                    id_ = row["id"] if table is fills else transfer_id(row["transaction_hash"], row["log_index"])
                    found.setdefault((row["owner"], row["subaccount"]), []).append(id_)
            for row in rows(connection, select(trades).where(trades.c.block_number > above.number)):
                reversal.trades.setdefault(row["market"], []).append(row["id"])
            touched = select(accounts.c.owner, accounts.c.subaccount).where(accounts.c.updated_block > above.number)
            reversal.changed.update((row.owner, row.subaccount) for row in connection.execute(touched))
            revert(connection, above.number)
            connection.execute(delete(recent_blocks).where(recent_blocks.c.block_number > above.number))
            final = connection.execute(select(chain_cursor.c.final_block)).scalar_one()
            position = self._moved(connection, above, final)
            if self._teller is not None:
                self._teller.reversal(connection, reversal)
            else:
                outbox.begin_epoch(connection)
        self._cache.clear()
        return reversal, position

    def clear(self) -> None:
        """Forget the chain tables, to be filled anew from the chain."""
        with self._engine.begin() as connection:
            outbox.lock(connection)
            outbox.begin_epoch(connection)
            for table in [*_all_tables(), undo, recent_blocks, chain_cursor]:
                connection.execute(delete(table))
        self._cache.clear()

    def _moved(self, connection: Connection, to: Block | Header, final: int) -> Position:
        final = min(final, to.number)
        values = _cursor(Position(to.number, to.hash, to.time_s, final, 0)) | {"version": chain_cursor.c.version + 1}
        found = connection.execute(update(chain_cursor).values(values).returning(chain_cursor.c.version))
        return Position(to.number, to.hash, to.time_s, final, found.scalar_one())

    def _finish(self, connection: Connection, limits: Limits) -> None:
        forget_undo(connection, limits.kept)
        # The newest block that stays for good is kept: it is where the deepest step back ends.
        connection.execute(delete(recent_blocks).where(recent_blocks.c.block_number < limits.kept))


def _remember(connection: Connection, blocks: Sequence[Block | Header]) -> None:
    found = [
        {"block_number": block.number, "hash": block.hash, "parent_hash": block.parent_hash, "time_s": block.time_s}
        for block in blocks
    ]
    bulk.replace(connection, recent_blocks, found)


def _cursor(position: Position) -> Row:
    return {
        "block_number": position.number,
        "hash": position.hash,
        "time_s": position.time_s,
        "final_block": position.final,
        "version": position.version,
    }


def _all_tables() -> Sequence[Table]:
    return [*tables_of(FACT), *tables_of(STATE)]
