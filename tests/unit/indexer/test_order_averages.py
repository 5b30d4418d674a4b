# SPDX-License-Identifier: AGPL-3.0-only
"""What an order's fills cost on average, from the chain's fills."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from indexer.orders.records import decode_record
from indexer.reads.text import quotient
from indexer.store import schema
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.store.order_schema import orders
from indexer.store.order_store import OrderStore
from tests.unit.indexer.front import Front
from tests.unit.indexer.market import played
from tests.unit.indexer.test_orders import order


def test_an_order_tells_what_it_settled_at(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'index.sqlite'}", writes=True)
    migrate(engine)
    store = OrderStore(engine)
    cursor = store.open()
    played(engine, seed=5, steps=10)
    with engine.begin() as connection:
        table = schema.fills
        fills = connection.execute(select(table).where(table.c.order_id.is_not(None))).mappings().all()
        name = fills[0]["order_id"]
        mine = [fill for fill in fills if fill["order_id"] == name]
        assert len({fill["price"] for fill in mine}) > 1, "something to average"
        decimals = connection.execute(select(schema.markets.c.price_decimals)).scalar_one()
    lines = [order(1, name, filled=2, status="FILLED"), order(2, "0x" + "77" * 32)]
    store.apply([decode_record(line) for line in lines], lines[-1], cursor)
    with engine.begin() as connection:
        owner = connection.execute(select(orders.c.owner)).first()
    assert owner is not None
    front = Front(engine)
    told = {each["id"]: each["averageFillPrice"] for each in front.answer("/v4/orders", f"address={owner[0]}").json()}
    value, size = sum(fill["size"] * fill["price"] for fill in mine), sum(fill["size"] for fill in mine)
    assert told == {name: quotient(value, size, decimals), "0x" + "77" * 32: None}
    assert front.get(f"/v4/orders/{name}")["averageFillPrice"] == told[name]
    engine.dispose()
