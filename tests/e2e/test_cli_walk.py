# SPDX-License-Identifier: AGPL-3.0-only
"""A person with the `ouro` command and the local stack: key, faucet, deposit, orders, fill, position, withdrawal.

Everything is real: the stack as `ouro up` starts it (without its bots), the command as a process of its own, and a
maker that trades through the SDK. The documented examples run against the same stack.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from ouro.client import NotFoundError, OuroClient
from tests.support.stack import OURO
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
PASSWORD = "a password for the test"


class Terminal:
    """Runs `ouro` as a person would, with an encrypted key file."""

    def __init__(self, url: str, folder: Path) -> None:
        self.keystore = folder / "key.json"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OURO_")}
        self.environment = {
            **clean,
            "OURO_URL": url,
            "OURO_KEYSTORE": str(self.keystore),
            "OURO_KEYSTORE_PASSWORD": PASSWORD,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([OURO, *arguments], env=self.environment, capture_output=True, text=True, timeout=240)

    def json(self, *arguments: str) -> Any:
        """The JSON of a command that must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, (arguments, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def taker(url: str, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A terminal with a new key and 5,000 USDC on the exchange."""
    terminal = Terminal(url, tmp_path_factory.mktemp("taker"))
    terminal.json("new-key", "--out", str(terminal.keystore))
    terminal.json("faucet", "10000")
    terminal.json("deposit", "5000")
    return terminal


@pytest.fixture(scope="module")
def maker(url: str) -> Iterator[OuroClient]:
    """A maker with 50,000 USDC on the exchange."""
    account = Account.create()
    with OuroClient(url, account) as client:
        client.chain.faucet("50000")
        client.chain.deposit("50000")
        eventually(lambda: has_money(client), "the maker's deposit is credited")
        yield client


def has_money(client: OuroClient) -> bool:
    try:
        return client.account.subaccount().free_collateral > 0
    except NotFoundError:
        return False


def quote(maker: OuroClient, side: str, size: str) -> Decimal:
    """Rest an order of the maker close to the index price; its price."""
    market = maker.markets.get("BTC-USD")
    assert market.oracle_price is not None
    away = Decimal("1.002") if side == "SELL" else Decimal("0.998")
    price = (market.oracle_price * away).quantize(market.tick_size)
    placed = maker.orders.place_limit_order("BTC-USD", side, size, price)
    assert placed.status == "OPEN", placed
    eventually(lambda: maker.orders.get(placed.id, at_seq=placed.seq), "the maker's order is shown")
    return price


def test_walk(taker: Terminal, maker: OuroClient) -> None:
    assert Decimal(taker.json("balance")["freeCollateral"]) == 5000

    price = quote(maker, "SELL", "0.05")
    bought = taker.json("order", "place", "BTC-USD", "buy", "0.02")
    assert (bought["status"], bought["filled"]) == ("FILLED", "0.0200")
    [fill] = eventually(lambda: taker.json("fills"), "the fill is settled and shown")
    assert (Decimal(fill["price"]), Decimal(fill["size"]), fill["side"]) == (price, Decimal("0.02"), "BUY")
    assert fill["orderId"] == bought["id"]
    [position] = taker.json("positions")
    assert (position["market"], position["side"], Decimal(position["size"])) == ("BTC-USD", "LONG", Decimal("0.02"))

    maker.orders.cancel_all("BTC-USD")
    quote(maker, "BUY", "0.05")
    sold = taker.json("order", "place", "BTC-USD", "sell", "0.02", "--reduce-only")
    assert sold["status"] == "FILLED"
    eventually(lambda: len(taker.json("fills")) == 2, "the second fill is settled")
    assert taker.json("positions") == []

    before = Decimal(taker.json("balance")["equity"])
    taker.json("withdraw", "100")
    assert Decimal(taker.json("balance")["equity"]) == before - 100


def test_resting_order_is_listed_and_cancelled(taker: Terminal, maker: OuroClient) -> None:
    index = maker.markets.get("BTC-USD").oracle_price
    assert index is not None
    low = str((index * Decimal("0.95")).quantize(Decimal(1)))
    placed = taker.json("order", "place", "BTC-USD", "BUY", "0.01", low, "--post-only", "--expires", "3600")
    assert placed["status"] == "OPEN"
    eventually(lambda: placed["id"] in [order["id"] for order in taker.json("orders")], "the order is listed")
    assert taker.run("cancel", placed["id"]).returncode == 0
    eventually(lambda: taker.json("order", "show", placed["id"])["status"] == "CANCELED", "the order is cancelled")

    taker.json("order", "place", "BTC-USD", "buy", "0.01", low)
    assert taker.run("cancel", "--all", "--market", "BTC-USD").returncode == 0
    eventually(lambda: taker.json("orders") == [], "nothing rests")


def test_a_dry_run_sends_nothing(taker: Terminal, maker: OuroClient) -> None:
    index = maker.markets.get("BTC-USD").oracle_price
    assert index is not None
    low = str((index * Decimal("0.95")).quantize(Decimal(1)))
    orders, money = taker.json("orders"), taker.json("balance")
    order = taker.json("order", "place", "BTC-USD", "buy", "0.01", low, "--dry-run")
    assert order["dryRun"]
    assert [signed["type"] for signed in order["signs"]] == ["Order"]
    [step] = order["steps"]
    assert step["body"]["order"]["limitPrice"]
    assert step["body"]["signature"] == "(not shown)"
    assert step["result"] == "not asked"
    ladder = taker.json("order", "scaled", "BTC-USD", "buy", "0.06", low, low, "--parts", "60", "--dry-run")
    assert len(ladder["signs"]) == 60
    assert taker.json("cancel", "--all", "--dry-run")["steps"][0]["method"] == "DELETE"
    withdrawal = taker.json("withdraw", "10", "--dry-run")
    assert withdrawal["signs"][0]["type"] == "Withdrawal"
    assert "operator's signature" in withdrawal["stoppedAt"]
    delayed = taker.json("withdraw", "10", "--delayed", "--dry-run")
    assert [each["what"] for each in delayed["steps"]] == ["Vault.request_withdrawal"]
    assert (taker.json("orders"), taker.json("balance")) == (orders, money)


def test_a_dry_run_rehearses_what_follows_a_transaction(taker: Terminal, maker: OuroClient) -> None:
    """A deposit after its approval, on a node that simulates the one on top of the other, and on one that does not."""
    money = taker.json("balance")
    done = taker.json("deposit", "123", "--dry-run")
    assert [each["what"] for each in done["steps"]] == ["TestUSDC.approve", "Vault.deposit"]
    assert [each["result"] for each in done["steps"]] == ["would go through"] * 2
    first, second = (each["transaction"] for each in done["steps"])
    assert second["nonce"] == first["nonce"] + 1
    assert second["chainId"] == maker.config().chain_id
    assert all(int(each["mostWei"]) > each["gasUsed"] > 20_000 for each in done["steps"])
    assert done["stoppedAt"] is None
    shown = taker.run("deposit", "123", "--dry-run").stdout
    assert "Vault.deposit" in shown
    assert "Dry run: nothing was sent." in shown
    assert "Deposited" not in shown
    # What really follows costs what was foretold.
    sent = taker.json("deposit", "123")
    receipt = httpx.post(
        str(maker.config().rpc_url),
        json={"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": [sent["transactionHash"]]},
    ).json()["result"]
    assert abs(int(receipt["gasUsed"], 16) - done["steps"][1]["gasUsed"]) < 10_000
    taker.json("withdraw", "123")
    assert taker.json("balance")["equity"] == money["equity"]

    with node_without("eth_simulateV1", str(maker.config().rpc_url)) as url:
        less = taker.json("deposit", "124", "--dry-run", "--rpc-url", url)
    assert [each["what"] for each in less["steps"]] == ["TestUSDC.approve"]
    assert "has no eth_simulateV1" in less["stoppedAt"]

    refused = taker.run("deposit", "1000000", "--dry-run")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    poor = Terminal(maker.base_url, taker.keystore.parent / "poor")
    poor.keystore.parent.mkdir()
    poor.json("new-key", "--out", str(poor.keystore))
    faucet = poor.json("faucet", "10", "--dry-run")
    assert [each["what"].split()[0] for each in faucet["steps"]] == ["anvil_setBalance", "TestUSDC.mint"]
    gasless = poor.run("withdraw", "1", "--delayed", "--dry-run")
    assert gasless.returncode == 1


@contextmanager
def node_without(method: str, rpc_url: str) -> Iterator[str]:
    """A way to the node that does not know a method."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(body)
            if asked["method"] == method:
                refusal = {
                    "jsonrpc": "2.0",
                    "id": asked["id"],
                    "error": {"code": -32601, "message": "Method not found"},
                }
                answer = json.dumps(refusal).encode()
            else:
                answer = httpx.post(rpc_url, content=body, headers={"content-type": "application/json"}).content
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_order_is_amended(taker: Terminal, maker: OuroClient) -> None:
    index = maker.markets.get("BTC-USD").oracle_price
    assert index is not None
    low, lower = (str((index * Decimal(part)).quantize(Decimal(1))) for part in ("0.95", "0.94"))
    placed = taker.json("order", "place", "BTC-USD", "buy", "0.01", low)
    eventually(lambda: taker.run("order", "show", placed["id"]).returncode == 0, "the order is shown")
    newer = taker.json("order", "amend", placed["id"], "--price", lower, "--size", "0.02")
    assert newer["status"] == "OPEN"
    assert newer["id"] != placed["id"]
    eventually(lambda: taker.run("order", "show", newer["id"]).returncode == 0, "the amended order is shown")
    shown = taker.json("order", "show", newer["id"])
    assert (Decimal(shown["price"]), Decimal(shown["size"])) == (Decimal(lower), Decimal("0.02"))
    taker.json("cancel", newer["id"])


def test_a_session_key_trades_for_its_owner(taker: Terminal, maker: OuroClient, url: str, tmp_path: Path) -> None:
    index = maker.markets.get("BTC-USD").oracle_price
    assert index is not None
    low = str((index * Decimal("0.95")).quantize(Decimal(1)))
    owner = taker.json("address")["address"]
    bot = Terminal(url, tmp_path)
    key = bot.json("new-key", "--out", str(bot.keystore))["address"]
    taker.json("session-key", "add", key, "--budget", "2000", "--market", "BTC-USD", "--days", "1")
    assert [(each["key"], each["status"]) for each in taker.json("session-key", "list")] == [(key, "ACTIVE")]
    placed = bot.json("order", "place", "BTC-USD", "buy", "0.001", low, "--owner", owner)
    assert placed["status"] == "OPEN"
    refused = bot.run("order", "place", "BTC-USD", "buy", "1", low, "--owner", owner)
    assert refused.returncode == 1
    assert "session key" in refused.stderr
    bot.json("cancel", "--all", "--owner", owner)
    taker.json("session-key", "revoke", key)
    # in force one settlement window later, until when it is shown as active
    assert taker.json("session-key", "list")[0]["revokedAt"]


def test_history(taker: Terminal, maker: OuroClient, tmp_path: Path) -> None:
    quote(maker, "SELL", "0.05")
    taker.json("order", "place", "BTC-USD", "buy", "0.001")
    fills = eventually(lambda: taker.json("fills", "--all"), "there are fills")
    assert taker.run("fills", "--all", "--csv", str(tmp_path / "fills.csv")).returncode == 0
    with (tmp_path / "fills.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {fill["id"] for fill in fills} <= {row["fill"] for row in rows}
    assert all(Decimal(row["price"]) > 0 and row["time"].endswith("Z") for row in rows)
    assert taker.run("fills", "--csv", "-").stdout.startswith("time,market,side,price")
    assert taker.run("fills", "--csv", str(tmp_path / "none" / "fills.csv")).returncode == 2
    trades = eventually(lambda: taker.json("trades", "BTC-USD"), "the tape")
    assert Decimal(trades[0]["price"]) > 0
    assert eventually(lambda: taker.json("candles", "BTC-USD", "--resolution", "1min"), "candles")[0]["trades"] > 0
    assert isinstance(taker.json("funding", "BTC-USD"), list)
    assert isinstance(taker.json("payments"), list)
    quote(maker, "BUY", "0.05")
    assert taker.json("order", "place", "BTC-USD", "sell", "0.001", "--reduce-only")["status"] == "FILLED"
    maker.orders.cancel_all("BTC-USD")


def test_the_command_lines_page_runs(url: str, maker: OuroClient, tmp_path: Path) -> None:
    """Every example of docs/cli.md, in order, as one script."""
    maker.orders.cancel_all("BTC-USD")
    quote(maker, "SELL", "0.5")
    quote(maker, "BUY", "0.5")
    page = (ROOT / "docs" / "cli.md").read_text()
    blocks = [part.split("```")[0] for part in page.split("```sh\n")[1:]]
    assert len(blocks) >= 5
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OURO_")}
    path = os.pathsep.join([str(Path(OURO).parent), clean["PATH"]])
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={**clean, "OURO_URL": url, "OURO_KEYSTORE_PASSWORD": PASSWORD, "PATH": path},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "fills.csv").read_text().count("\n") >= 2
    maker.orders.cancel_all("BTC-USD")


def test_watch(taker: Terminal, maker: OuroClient) -> None:
    price = quote(maker, "SELL", "0.05")
    [level] = taker.json("watch", "book", "BTC-USD", "--depth", "1", "--count", "1")["asks"]
    assert Decimal(level["price"]) == price
    assert f"{price}" in taker.run("watch", "book", "BTC-USD", "--count", "1").stdout
    assert taker.json("watch", "account", "--count", "1")["isSnapshot"] is True
    assert taker.run("watch", "account", "--count", "1").stdout.startswith("equity ")
    assert taker.json("watch", "trades", "BTC-USD", "--count", "1")["trades"] is not None
    assert Decimal(taker.json("watch", "prices", "--count", "1")["price"]) > 0
    assert taker.run("watch", "book", "DOGE-USD").returncode == 1
    maker.orders.cancel_all("BTC-USD")


def test_doctor_on_a_stack_in_order_and_on_a_wrong_record(taker: Terminal, maker: OuroClient, tmp_path: Path) -> None:
    sound = {each["check"]: each for each in taker.json("doctor")}
    names = ("exchange", "node", "contracts", "relayer", "indexer", "clock", "gas of operator")
    assert {name: sound[name]["state"] for name in names} == dict.fromkeys(names, "ok")
    assert all(each["mend"] for each in sound.values() if each["state"] != "ok")

    wrong = tmp_path / "deployment.json"
    wrong.write_text(json.dumps({**maker.config().record, "settleWindow": 7}))
    done = taker.run("doctor", "--deployment", str(wrong))
    assert done.returncode == 1
    assert "differ in settle window" in done.stdout
    assert "record: Name the record that the services were started with" in done.stdout


def test_delayed_withdrawal(taker: Terminal) -> None:
    request = taker.json("withdraw", "50", "--delayed")
    early = taker.run("withdraw", "--execute", str(request["id"]))
    assert early.returncode == 1
    assert early.stderr.startswith("ouro: the contract refused: ")
    assert taker.run("withdraw", "--cancel", str(request["id"])).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("order", "place", "BTC-USD", "buy", "100"), 1, "margin|collateral"),
        (("order", "place", "BTC-USD", "buy", "0.01", "90000"), 1, "price band"),
        (("order", "place", "BTC-USD", "buy", "0.01", "20000.5"), 2, "steps of 1"),
        (("order", "place", "DOGE-USD", "buy", "0.01"), 2, "there are: BTC-USD, ETH-USD"),
        (("order", "place", "BTC-USD", "sell", "0.01", "--reduce-only"), 1, "reduce"),
        (("order", "show", "0x" + "00" * 32), 1, "no order"),
        (("cancel", "0x" + "00" * 32), 1, "no order"),
        (("withdraw", "1000000"), 1, "withdraw"),
        (("deposit", "1000000"), 1, "the wallet holds"),
        (("book", "DOGE-USD"), 1, "DOGE-USD"),
    ],
)
def test_refusals_are_one_sentence(taker: Terminal, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    done = taker.run(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("ouro: ")
    assert done.stderr.count("\n") == 1
    assert any(word in done.stderr for word in sentence.split("|")), done.stderr


@pytest.mark.parametrize("arguments", [("markets",), ("book", "BTC-USD"), ("config",), ("balance",), ("fills",)])
def test_tables_for_people(taker: Terminal, arguments: tuple[str, ...]) -> None:
    done = taker.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_orders_page_runs(url: str, tmp_path: Path) -> None:
    """Every example of docs/orders.md, one after the other, by an account with a deposit."""
    account = Account.create()
    with OuroClient(url, account) as client:
        client.chain.faucet("50000")
        client.chain.deposit("40000")

        def has_arrived() -> bool:
            try:
                return client.account.subaccount().free_collateral > 0
            except NotFoundError:
                return False

        eventually(has_arrived, "the deposit")
    page = (ROOT / "docs" / "orders.md").read_text()
    blocks = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    assert len(blocks) >= 9
    checks = (
        "assert isinstance(bracket.stop_loss, PlacedOrder), bracket",
        "assert all(isinstance(each, PlacedOrder) for each in (*trailing.revisions, *twap, *ladder)), trailing",
        "assert len(trailing.triggers) == 21",
    )
    script = tmp_path / "orders_page.py"
    script.write_text("\n".join(["from ouro.client.models import PlacedOrder", *blocks, *checks]))
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "OURO_URL": url, "OURO_KEY": "0x" + bytes(account.key).hex()},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


def test_orders_that_wait_from_the_command_line(taker: Terminal) -> None:
    index_price = Decimal(
        next(market for market in taker.json("markets") if market["ticker"] == "BTC-USD")["oraclePrice"]
    )
    low, high = (str((index_price * Decimal(fraction)).quantize(Decimal(1))) for fraction in ("0.9", "1.1"))
    stop = taker.json("order", "stop", "BTC-USD", "sell", "0.01", low, "--reduce-only")
    assert stop["status"] == "UNTRIGGERED"
    profit = taker.json("order", "take-profit", "BTC-USD", "sell", "0.01", high, high, "--reduce-only")
    assert profit["status"] == "UNTRIGGERED"
    bracket = taker.json(
        "order", "bracket", "BTC-USD", "buy", "0.01", low, "--take-profit", high, "--stop-loss", "1000"
    )
    assert [bracket[name]["status"] for name in ("entry", "takeProfit", "stopLoss")] == ["OPEN", *["UNTRIGGERED"] * 2]
    trail = taker.json("order", "trail", "BTC-USD", "sell", "0.01", "2000", "--revisions", "3")
    assert [each["status"] for each in trail["revisions"]] == ["UNTRIGGERED"] * 3
    twap = taker.json("order", "twap", "BTC-USD", "buy", "0.003", low, "--parts", "3", "--duration", "60")
    assert [each["status"] for each in twap] == ["CANCELED", "UNTRIGGERED", "UNTRIGGERED"]
    ladder = taker.json("order", "scaled", "BTC-USD", "buy", "0.003", low, low, "--parts", "3")
    assert [each["status"] for each in ladder] == ["OPEN"] * 3
    done = taker.json("cancel", "--all")
    assert {stop["id"], profit["id"], *(each["id"] for each in ladder)} <= set(done["cancelled"])
