# SPDX-License-Identifier: AGPL-3.0-only
"""The outbox: what streams say, written in the transaction that makes it so.

One row, `outbox_head`, numbers the letters. Whoever writes holds a lock on it from the beginning of the transaction to
the end, so numbers are committed in order and a reader that has seen number n has seen all before it. An *epoch* is a
stretch in which every change of an account was written down; what breaks it (a rebuild, a backfill, another log of the
relayer, a database that was restored) begins a new one, in which readers start with a snapshot. Numbers go on.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, String, Table, Text, delete, insert, select, text
from sqlalchemy import update as sql_update

from indexer.store.engine import file_of
from indexer.store.schema import Address, metadata

PUBLIC = ""
"""The owner of a letter that is nobody's account: trades, candles, markets."""

outbox_head = Table(
    "outbox_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False, comment="The newest letter."),
    Column("pruned", BigInteger, nullable=False, comment="The newest letter that is no longer to be had."),
    Column("origin", String(80), nullable=False, comment="Tells a database that was restored from this one."),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
    Column("owner", Address, nullable=False, comment="Empty: for everybody."),
    Column("subaccount", Integer, nullable=False),
    Column("at", BigInteger, nullable=False, comment="Milliseconds since 1970."),
    Column("body", Text, nullable=False),
    Index(None, "owner", "seq"),
)

_DROPPED = 50_000
"""Letters that one pruning removes; the writer waits for it."""
_PAGE_OWNERS = 500
"""More owners than that are not asked for by name."""


@dataclass(frozen=True)
class Head:
    """The epoch, its newest letter, and the newest that is no longer to be had."""

    epoch: str
    seq: int
    pruned: int

    def follows(self, epoch: str, seq: int) -> bool:
        """Whether everything after letter `seq` of an epoch is still there."""
        return epoch == self.epoch and self.pruned <= seq <= self.seq


@dataclass(frozen=True)
class Draft:
    """A letter to be: contents as the stream sends them, in which `epoch` and `seq` are filled in. Who has proven to be
    the owner gets `owners`, if there are any; the others `contents`, if there are any.
    """

    owner: str
    subaccount: int
    contents: dict[str, Any] | None
    owners: dict[str, Any] | None = None


class Body(msgspec.Struct, frozen=True):
    """What is kept of a letter: both contents as JSON, to be passed on as they are; empty: none."""

    contents: msgspec.Raw = msgspec.Raw()
    owners: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True)
class Letter:
    """One letter. `subaccount` is -1 where `owner` is `PUBLIC`."""

    seq: int
    owner: str
    subaccount: int
    body: Body


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Body)


def lock(connection: Connection) -> None:
    """Be the only one who writes letters until the transaction ends. Must be its first statement.

    SQLite's writers are alone anyway. On PostgreSQL a snapshot taken before the lock would be too old to write with;
    LOCK TABLE takes none.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE outbox_head IN EXCLUSIVE MODE"))


def head(connection: Connection) -> Head:
    row = connection.execute(select(outbox_head)).one()
    return Head(row.epoch, row.seq, row.pruned)


def append(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Write letters, in order; the caller holds the lock."""
    if not drafts:
        return
    now = head(connection)
    at = time.time_ns() // 1_000_000
    letters = []
    for seq, draft in enumerate(drafts, now.seq + 1):
        number = {"epoch": now.epoch, "seq": seq}
        parts = {"contents": draft.contents, "owners": draft.owners}
        body = {name: contents | number for name, contents in parts.items() if contents is not None}
        letters.append(
            {
                "seq": seq,
                "epoch": now.epoch,
                "owner": draft.owner,
                "subaccount": draft.subaccount,
                "at": at,
                "body": _encoder.encode(body).decode(),
            }
        )
    connection.execute(insert(outbox), letters)
    connection.execute(sql_update(outbox_head).values(seq=letters[-1]["seq"]))


def begin_epoch(connection: Connection) -> None:
    """Something changed that no letter tells of; the caller holds the lock."""
    connection.execute(sql_update(outbox_head).values(epoch=secrets.token_hex(8), pruned=outbox_head.c.seq))


def claim(connection: Connection) -> None:
    """For who begins to write: a new epoch if the database may have lost what was committed, or is a copy."""
    lock(connection)
    origin = _origin(connection)
    if connection.execute(select(outbox_head.c.origin)).scalar_one() != origin:
        begin_epoch(connection)
        connection.execute(sql_update(outbox_head).values(origin=origin))


def _origin(connection: Connection) -> str:
    """SQLite may lose the last commits with the machine, so each boot is another origin, and each file, which may be a
    copy; PostgreSQL does not, but a standby that took over may lack some, and begins another timeline.
    """
    if connection.dialect.name == "sqlite":
        boot, file = Path("/proc/sys/kernel/random/boot_id"), file_of(connection.engine.url)
        if not boot.exists() or file is None:
            return secrets.token_hex(16)
        return f"{boot.read_text().strip()}/{file.stat().st_ino}"
    query = text("SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || current_database() || '/'")
    timeline = text("SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")
    return f"{connection.execute(query).scalar_one()}{connection.execute(timeline).scalar_one()}"[:80]


def prune(connection: Connection, *, before_ms: int, keep: int) -> None:
    """Drop letters older than a time, and all but the newest `keep`; the caller holds the lock.

    Many of them are no longer to be had at once, but leave the disk over several calls.
    """
    now = head(connection)
    # Numbers and times grow together: from the oldest on, the first that is young enough.
    young = select(outbox.c.seq).where(outbox.c.at >= before_ms).order_by(outbox.c.seq).limit(1)
    first = connection.execute(young).scalar()
    old = now.seq if first is None else first - 1
    pruned = max(now.pruned, now.seq - keep, old)
    connection.execute(sql_update(outbox_head).values(pruned=pruned))
    oldest = connection.execute(select(outbox.c.seq).order_by(outbox.c.seq).limit(1)).scalar()
    if oldest is not None:
        connection.execute(delete(outbox).where(outbox.c.seq <= min(pruned, oldest + _DROPPED)))


def after(connection: Connection, seq: int, owners: Collection[str] | None, limit: int) -> list[Letter]:
    """Letters after `seq` to any of the owners (None: to anybody), oldest first."""
    query = select(outbox).where(outbox.c.seq > seq).order_by(outbox.c.seq).limit(limit)
    if owners is not None and len(owners) <= _PAGE_OWNERS:
        query = query.where(outbox.c.owner.in_(owners))
    return [Letter(row.seq, row.owner, row.subaccount, _decoder.decode(row.body)) for row in connection.execute(query)]
