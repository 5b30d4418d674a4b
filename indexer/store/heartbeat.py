# SPDX-License-Identifier: AGPL-3.0-only
"""How far the following process is with its sources, for processes that only serve. Times in ms since 1970."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, delete, insert, select

from indexer.store.schema import metadata

follower = Table(
    "follower",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("head", BigInteger, nullable=False, comment="Newest block that the node announces."),
    Column("node_ms", BigInteger, nullable=False, comment="When the node last answered."),
    Column("head_ms", BigInteger, nullable=False, comment="When the node last had a new head."),
    Column("relayer_ms", BigInteger, nullable=False, comment="When the relayer's log last answered."),
)


@dataclass(frozen=True)
class Heartbeat:
    """The node's head, when it last answered and last had a new head, and when the relayer's log last answered."""

    head: int
    node_ms: int
    head_ms: int
    relayer_ms: int


def beat(connection: Connection, now: Heartbeat) -> None:
    connection.execute(delete(follower))
    connection.execute(insert(follower), [{"id": 1, **asdict(now)}])


def last_beat(connection: Connection) -> Heartbeat | None:
    row = connection.execute(select(follower)).first()
    return None if row is None else Heartbeat(row.head, row.node_ms, row.head_ms, row.relayer_ms)
