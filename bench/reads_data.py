# SPDX-License-Identifier: AGPL-3.0-only
"""An index with a great many fills, written straight into its tables: plain SQL, so that it takes a minute.

Fill `i` is between taker `i * 7919 mod ACCOUNTS` and one of a few makers, in block `i / 20`, a block every thirty
seconds. Prices wander within a percent. What the reads of the bench look at is there: tape, candles, positions, cash,
funding by the hour, profit by the hour, transfers, orders. Addresses are numbers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, text

from indexer.store import order_schema, schema
from indexer.store.bulk import append
from indexer.store.order_store import RelayerCursor

ACCOUNTS = 2_000
MAKERS = 50
PER_BLOCK = 20
BLOCK_S = 30
BEGIN_S = 1_700_000_000 // 86_400 * 86_400
MARKETS = ("BTC-USD", "ETH-USD")
PRICES = (2_300_000, 160_000)
RESOLUTIONS_S = (60, 300, 900, 1_800, 3_600, 14_400, 86_400)
NO_HASH = "0x" + "00" * 32


def address(number: int) -> str:
    """Digits alone are their own checksum."""
    return f"0x{number:040d}"


def fill(engine: Engine, fills: int) -> None:
    """Write it all. The tables are there and empty."""
    blocks = fills // PER_BLOCK
    with engine.begin() as connection:
        sql = _Sql(connection)
        sql.run("CREATE TABLE bench_prints (i BIGINT PRIMARY KEY)")
        sql.run(f"INSERT INTO bench_prints {sql.series(fills)}")
        _markets(connection, blocks)
        _trading(sql)
        _states(connection, fills)
        _history(connection, blocks)
        _orders(connection)
        sql.run("DROP TABLE bench_prints")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


class _Sql:
    """The few words in which the two databases differ."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def run(self, statement: str) -> None:
        self._connection.execute(text(statement))

    def series(self, count: int) -> str:
        """0 to `count` - 1."""
        if not self._sqlite:
            return f"SELECT i FROM generate_series(0, {count - 1}) AS s(i)"
        return (
            f"SELECT i FROM (WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {count - 1}) "
            "SELECT i FROM s)"
        )

    def digits(self, number: str, width: int) -> str:
        """`0x` and so many digits."""
        padded = f"printf('%0{width}d', {number})" if self._sqlite else f"lpad(({number})::text, {width}, '0')"
        return f"'0x' || {padded}"


def _trading(sql: _Sql) -> None:
    """Prints, and both sides of each. The taker buys at every other one, so that positions stay small."""
    price = f"(CASE i % 2 WHEN 0 THEN {PRICES[0]} + i * 37 % 23000 ELSE {PRICES[1]} + i * 37 % 1600 END)"
    size = "(1 + i * 31 % 500)"
    taker, maker = f"({MAKERS} + i * 7919 % {ACCOUNTS - MAKERS})", f"(i * 13 % {MAKERS})"
    number, at = f"i / {PER_BLOCK}", f"{BEGIN_S} + i / {PER_BLOCK} * {BLOCK_S}"
    base = f"{number}, i % {PER_BLOCK}, {at}, {sql.digits(number, 64)}"
    names = "block_number, log_index, time_s, transaction_hash"
    sql.run(
        f"INSERT INTO blocks (block_number, hash, parent_hash, time_s) "
        f"SELECT i / {PER_BLOCK}, {sql.digits(f'i / {PER_BLOCK}', 64)}, {sql.digits('i', 64)}, "
        f"{BEGIN_S} + i / {PER_BLOCK} * {BLOCK_S} FROM bench_prints WHERE i % {PER_BLOCK} = 0"
    )
    sql.run(
        f"INSERT INTO trades ({names}, id, market, side, type, size, price, open_interest) "
        f"SELECT {base}, {sql.digits('i', 20)}, 1 + i % 2, CASE i / 2 % 2 WHEN 0 THEN 'BUY' ELSE 'SELL' END, 'LIMIT', "
        f"{size}, {price}, 1000000 FROM bench_prints"
    )
    for liquidity, own, other, first, second, rate in (
        ("TAKER", taker, maker, "BUY", "SELL", 350),
        ("MAKER", maker, taker, "SELL", "BUY", -50),
    ):
        sql.run(
            f"INSERT INTO fills ({names}, liquidity, id, owner, subaccount, market, side, type, size, price, fee, "
            "fee_ppm, order_id, counterparty, counterparty_subaccount, size_before, size_after, sum_open_before, "
            "open_notional_before, realised) "
            f"SELECT {base}, '{liquidity}', {sql.digits('i', 20)}, {sql.digits(own, 40)}, 0, 1 + i % 2, "
            f"CASE i / 2 % 2 WHEN 0 THEN '{first}' ELSE '{second}' END, 'LIMIT', {size}, {price}, "
            f"{size} * {price} * {rate} / 1000000, {rate}, {sql.digits('i', 64)}, {sql.digits(other, 40)}, 0, 1000, "
            f"1000 + {size}, 1000, 2300000000, 0 FROM bench_prints"
        )
    for resolution in RESOLUTIONS_S:
        sql.run(
            "INSERT INTO candles (market, resolution_s, started_at, open, high, low, close, volume, notional, trades, "
            "starting_open_interest) "
            f"SELECT market, {resolution}, time_s - time_s % {resolution}, min(price), max(price), min(price), "
            "max(price), sum(size), sum(size * price), count(*), 1000000 "
            f"FROM trades GROUP BY market, time_s - time_s % {resolution}"
        )


def _markets(connection: Connection, blocks: int) -> None:
    now = BEGIN_S + (blocks - 1) * BLOCK_S
    shape: dict[str, Any] = {"imf_ppm": 50_000, "mmf_ppm": 30_000, "band_ppm": 50_000, "max_open_interest": 10**9}
    shape |= {"max_price_age": 120, "liquidation_floor_ppm": 10_000, "state": 1, "scale_from": 0, "scale_to": 0}
    shape |= {"settle_at": 0, "listed_block": 0, "size_decimals": 4, "price_decimals": 2, "tick": 100}
    listed = [{"market": number, "ticker": ticker, **shape} for number, ticker in enumerate(MARKETS, start=1)]
    append(connection, schema.markets, listed)
    zero = {"g_long": 0, "g_short": 0, "slope": 0, "rate": 100, "premium_sum": 0, "volume_sum": 0}
    states = [
        {"market": number, **zero, "hour": now // 3_600, "hour_price": price, "index_price": price}
        | {"published_at": now, "open_interest": 1_000_000, "updated_block": blocks - 1}
        for number, price in enumerate(PRICES, start=1)
    ]
    append(connection, schema.market_states, states)
    seen: list[dict[str, Any]] = []
    hours: list[dict[str, Any]] = []
    for block in range(blocks):
        at = BEGIN_S + block * BLOCK_S
        row = {"block_number": block, "time_s": at, "transaction_hash": NO_HASH}
        for number, price in enumerate(PRICES, start=1):
            seen.append(
                {**row, "log_index": 1_000 + number, "market": number, "price": price + block % 999, "published_at": at}
            )
            if at % 3_600 == 0:
                hours.append(
                    {**row, "log_index": 2_000 + number, "market": number, "g_long": 0, "g_short": 0, "rate": 100}
                    | {"index_price": price, "at": at, "opens_hour": True}
                )
    append(connection, schema.oracle_prices, seen)
    append(connection, schema.funding_accruals, hours)
    cursor = {"id": 1, "deployment": "bench", "block_number": blocks - 1, "hash": NO_HASH, "time_s": now}
    append(connection, schema.chain_cursor, [{**cursor, "final_block": blocks - 65, "version": 1}])


def _states(connection: Connection, fills: int) -> None:
    """Accounts with an open position in each market and some that ended."""
    last = fills // PER_BLOCK - 1
    owners = [address(number) for number in range(ACCOUNTS)]
    keys = [{"owner": owner, "subaccount": 0} for owner in owners]
    account = {"cash": 10**11, "created_block": 0, "updated_block": last}
    append(connection, schema.accounts, [key | account for key in keys])
    append(connection, schema.net_transfers, [key | {"amount": 10**11} for key in keys])
    words: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    for key in keys:
        for market, price in enumerate(PRICES, start=1):
            word = {"size": 1_000, "quote_scaled": -1_000 * price * 2**32, "one_shot_ms": 0, "exposures": 20}
            words.append(key | {"market": market} | word)
            for number in range(1, 21):
                is_open = number == 20
                block = last * number // 21
                runs.append(
                    key
                    | {"market": market, "number": number, "status": "OPEN" if is_open else "CLOSED", "side": "LONG"}
                    | {"size": 1_000 if is_open else 0, "max_size": 1_000, "sum_open": 1_000}
                    | {"open_notional": 1_000 * price, "sum_close": 0 if is_open else 1_000}
                    | {"close_notional": 0 if is_open else 1_000 * price, "fees": 100, "carry_scaled": 0}
                    | {"net_funding": 0, "realised": 0, "created_block": block}
                    | {"created_at": BEGIN_S + block * BLOCK_S}
                    | {"closed_block": None if is_open else block + 1}
                    | {"closed_at": None if is_open else BEGIN_S + (block + 1) * BLOCK_S}
                )
    append(connection, schema.position_words, words)
    append(connection, schema.positions, runs)


def _history(connection: Connection, blocks: int) -> None:
    """Deposits, and profit by the hour of a tenth of the accounts."""
    moves = [
        {"block_number": number, "log_index": 500, "time_s": BEGIN_S + number * BLOCK_S, "transaction_hash": NO_HASH}
        | {"owner": address(number % ACCOUNTS), "subaccount": 0, "type": "DEPOSIT", "amount": 10**9}
        | {"counterparty": address(number % ACCOUNTS)}
        for number in range(min(blocks, 20 * ACCOUNTS))
    ]
    append(connection, schema.transfers, moves)
    ticks = [
        {"block_number": block, "owner": address(number), "subaccount": 0, "time_s": BEGIN_S + block * BLOCK_S}
        | {"block_time_s": BEGIN_S + block * BLOCK_S, "equity": 10**11 + block, "transferred": 10**11}
        for block in range(0, blocks, 3_600 // BLOCK_S)
        for number in range(0, ACCOUNTS, 10)
    ]
    append(connection, schema.pnl_ticks, ticks)


def _orders(connection: Connection) -> None:
    """A hundred of each account, ten of them open, and a book of two hundred levels a side."""
    fixed: dict[str, Any] = {
        column.name: "" if column.type.python_type is str else 0 for column in order_schema.orders.columns
    }
    now_ms = BEGIN_S * 1_000
    fixed |= {"size": 100, "time_in_force": "GTT", "expiry": 2 * BEGIN_S, "type": "LIMIT", "market": MARKETS[0]}
    fixed |= {"post_only": False, "reduce_only": False, "immediate": False, "private": False, "trigger": "NONE"}
    fixed |= {"self_trade": "CANCEL_TAKER", "generation": now_ms, "created_ms": now_ms, "updated_ms": now_ms}
    found = []
    for number in range(100 * ACCOUNTS):
        owner, nth = divmod(number, 100)
        status = "OPEN" if nth >= 90 else "FILLED"
        found.append(
            fixed
            | {"id": f"0x{number:064d}", "client_id": str(number), "owner": address(owner), "signer": address(owner)}
            | {"side": "BUY" if nth % 2 else "SELL", "limit_price": PRICES[0], "status": status, "slot": nth}
            | {"filled": 0 if status == "OPEN" else 100, "created_seq": number, "updated_seq": number}
        )
    append(connection, order_schema.orders, found)
    levels = [
        {"market": ticker, "side": side, "price": price + sign * 100 * (step + 1), "size": 500}
        for ticker, price in zip(MARKETS, PRICES, strict=True)
        for side, sign in (("BUY", -1), ("SELL", 1))
        for step in range(200)
    ]
    append(connection, order_schema.book_levels, levels)
    append(connection, order_schema.book_heads, [{"market": ticker, "book_seq": 1} for ticker in MARKETS])
    seq = RelayerCursor(100 * ACCOUNTS, "", 1)
    append(connection, order_schema.relayer_cursor, [{"id": 1, "seq": seq.seq, "digest": "", "epoch": seq.epoch}])
