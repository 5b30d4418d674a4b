# SPDX-License-Identifier: AGPL-3.0-only
"""The tables against the contracts' storage, at the block where the tables stand: every difference by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from sqlalchemy import Connection, Engine, Table, select

from indexer.chain.rpc import Node, NodeError
from indexer.store import schema
from indexer.store.query import first_row, rows
from indexer.views.custody import FEES, INSURANCE
from indexer.views.referrals import REFERRALS
from ouro.codec import unpack_position
from ouro.deployment import Deployment
from ouro.eip712 import keccak
from ouro.errors import OuroError
from ouro.maths.funding import HOUR_S

_AT_ONCE = 100


class ReconcileError(OuroError):
    """Nothing can be said: the node has not the block where the tables stand, or not its state."""


@dataclass(frozen=True)
class Question:
    """A view of the exchange, what it is asked, and what the tables say to each value it answers."""

    view: str
    argument_types: tuple[str, ...]
    arguments: tuple[Any, ...]
    result_types: tuple[str, ...]
    what: str
    fields: tuple[str, ...]
    expected: tuple[Any, ...]

    def data(self) -> bytes:
        """Of the call."""
        selector = keccak(f"{self.view}({','.join(self.argument_types)})".encode())[:4]
        return selector + encode(self.argument_types, self.arguments)

    def answered(self, data: bytes) -> tuple[Any, ...]:
        """The values, position words unpacked. Raises `ReconcileError` when they are not readable."""
        try:
            values = decode(self.result_types, data)
        except DecodingError as error:
            raise ReconcileError(f"the exchange answered {self.view} with something else: {error}") from error
        if self.view == "position":
            word = unpack_position(values[0])
            return (word.size, word.q, word.one_shot_ms)
        return tuple(values)


@dataclass(frozen=True)
class Difference:
    """One value that is not the same."""

    what: str
    field: str
    table: Any
    storage: Any

    def __str__(self) -> str:
        return f"{self.what}: {self.field} is {self.table} in the tables, {self.storage} on chain"


@dataclass(frozen=True)
class Result:
    """How many values were compared at which block, and those that differ."""

    block: int
    compared: int
    differences: tuple[Difference, ...]

    def told(self) -> dict[str, Any]:
        """For scripts: numbers as text, since they may be larger than JSON readers hold."""
        return {
            "block": str(self.block),
            "compared": self.compared,
            "differences": [
                {"what": each.what, "field": each.field, "table": str(each.table), "chain": str(each.storage)}
                for each in self.differences
            ],
        }


def reconcile(engine: Engine, node: Node, deployment: Deployment) -> Result:
    """Compare cash, positions, open interest, funding indices, insurance fund, fees and referrals, micro-USDC and lots.

    The tables are read in one transaction and the chain at that transaction's block, so an indexer may go on writing
    meanwhile. Raises `ReconcileError` and `NodeError`.
    """
    with engine.begin() as connection:
        cursor = first_row(connection, select(schema.chain_cursor))
        if cursor is None or not cursor["hash"]:
            raise ReconcileError("the tables are empty: let the indexer run first")
        questions = list(_questions(connection))
    number = cursor["block_number"]
    _must_have(node, number, cursor["hash"])
    differences: list[Difference] = []
    compared = 0
    for start in range(0, len(questions), _AT_ONCE):
        part = questions[start : start + _AT_ONCE]
        try:
            answers = node.calls(deployment.contracts.exchange, [question.data() for question in part], number)
        except NodeError as error:
            raise ReconcileError(f"the node does not tell the state of block {number}: {error}") from error
        for question, answer in zip(part, answers, strict=True):
            for field, table, storage in zip(
                question.fields, question.expected, question.answered(answer), strict=True
            ):
                compared += 1
                if table != storage:
                    differences.append(Difference(question.what, field, table, storage))
    # What was told by number is of that block only if it is still there.
    _must_have(node, number, cursor["hash"])
    return Result(number, compared, tuple(differences))


def _must_have(node: Node, number: int, block_hash: str) -> None:
    header = node.header(number)
    if header is None or header.hash != block_hash:
        raise ReconcileError(f"the node has another block {number} than the tables: let the indexer catch up first")


def _questions(connection: Connection) -> Iterator[Question]:
    def every(table: Table) -> Sequence[dict[str, Any]]:
        return rows(connection, select(table).order_by(*table.primary_key.columns))

    whose = ("address", "uint256")
    for row in every(schema.accounts):
        key = (row["owner"], row["subaccount"])
        what = f"account {key[0]}/{key[1]}"
        yield Question("cash", whose, key, ("int256",), what, ("cash",), (row["cash"],))
    fields = ("size", "quote_scaled", "one_shot_ms")
    for row in every(schema.position_words):
        place = (row["owner"], row["subaccount"], row["market"])
        what = f"position of {place[0]}/{place[1]} in market {place[2]}"
        expected = tuple(row[name] for name in fields)
        yield Question("position", (*whose, "uint256"), place, ("uint256",), what, fields, expected)
    for row in every(schema.market_states):
        market = (row["market"],)
        what = f"market {row['market']}"
        yield Question(
            "open_interest", ("uint256",), market, ("uint256",), what, ("open_interest",), (row["open_interest"],)
        )
        yield Question(
            "market_indices",
            ("uint256",),
            market,
            ("int256", "int256", "uint256", "int256"),
            what,
            ("g_long", "g_short", "hour_start", "rate"),
            (row["g_long"], row["g_short"], row["hour"] * HOUR_S, row["rate"]),
        )
    totals = {row["name"]: row["amount"] for row in every(schema.totals)}
    for name in (INSURANCE, FEES):
        yield Question(name, (), (), ("uint256",), "exchange", (name,), (totals.get(name, 0),))
    waiting = 0
    for row in every(schema.referrers):
        waiting += row["balance"]
        yield Question(
            "referrer",
            ("uint256",),
            (row["number"],),
            ("address", "uint256", "uint256"),
            f"referrer {row['number']}",
            ("owner", "subaccount", "balance"),
            (row["owner"].lower(), row["subaccount"], row["balance"]),
        )
    if waiting != totals.get(REFERRALS, 0):
        raise ReconcileError(
            f"the tables disagree among themselves: referrers are owed {waiting}, their total says "
            f"{totals.get(REFERRALS, 0)}; run `ouro indexer rebuild`"
        )
