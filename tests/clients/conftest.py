# SPDX-License-Identifier: AGPL-3.0-only
"""One stack on which two accounts have traded; every client looks at the same."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from ouro.client import LocalSigner, OuroClient
from tests.clients.truth import Chain
from tests.support.client_environment import python_with
from tests.support.stack import running_stack
from tests.support.waiting import eventually

TICKER = "BTC-USD"
HOUR_S = 3_600
PROGRAMS = Path(__file__).with_name("programs")


@dataclass
class Report:
    """What a program told: answers and errors by method, and all lines as they came."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answers(self) -> dict[str, Any]:
        return {line["method"]: line["answer"] for line in self.lines if "answer" in line}

    @property
    def errors(self) -> dict[str, str]:
        return {line["method"]: line["error"] for line in self.lines if "error" in line}

    def told(self, name: str) -> Any:
        """The one value of that name."""
        [value] = [line[name] for line in self.lines if name in line]
        return value


class Scene:
    """The stack, the two accounts and the chain beneath."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.maker = OuroClient(url, LocalSigner.create())
        self.taker = OuroClient(url, LocalSigner.create())
        self.http = httpx.Client(base_url=url, timeout=120)
        self.chain = Chain(self.http.get("/v4/config").json(), TICKER)
        self.resting = ""

    def play(self) -> None:
        """Deposits, trades both ways, an order that rests, and two openings of an hour."""
        for client in (self.maker, self.taker):
            client.chain.faucet("100000")
            client.chain.wait_until_seen(client.chain.deposit("50000"), timeout_seconds=120)
        for side, size, offset in (("BUY", "0.07", "1.002"), ("BUY", "0.05", "1.003"), ("SELL", "0.03", "0.999")):
            self.trade(side, size, Decimal(offset))
        # The premium of those trades is the rate of the next hour, and that hour's end charges it.
        for _ in range(2):
            self.chain.pass_time(HOUR_S)
            self.priced()
            self.chain.poke()
        self.caught_up()
        self.resting = self.maker.orders.place_limit_order(TICKER, "SELL", "0.02", self.index * Decimal("1.04")).id

    @property
    def index(self) -> Decimal:
        price = self.taker.markets.get(TICKER).oracle_price
        assert price is not None
        return price

    def trade(self, side: str, size: str, offset: Decimal) -> str:
        """The taker trades with the maker so far from the index; returns the taker's order when the chain has it."""
        price = round(self.index * offset)
        opposite = "SELL" if side == "BUY" else "BUY"
        self.maker.orders.place_limit_order(TICKER, opposite, size, price)
        # Not at the market: the chain's clock is ahead of ours, and a one-shot order's signature is short-lived.
        taken = self.taker.orders.place_limit_order(TICKER, side, size, price)
        self.taker.orders.wait_for_fill(taken.id, settled=True, timeout_seconds=120)
        return taken.id

    def priced(self) -> None:
        """Until the exchange takes its price for fresh again."""
        eventually(
            lambda: not self.chain.exchange.functions.margin_of(self.taker.address, 0).call()[3],
            "a fresh price",
            within_s=120,
        )

    def caught_up(self) -> None:
        height = self.chain.height
        eventually(
            lambda: int(self.http.get("/v4/height").json()["height"]) >= height, "the index is there", within_s=120
        )

    @cached_property
    def taken(self) -> list[Any]:
        """The taker's fills by the chain, newest first."""
        return [fill for fill in reversed(self.chain.fills(self.chain.height)) if fill.taker == self.taker.address]

    def environment(self, **more: Any) -> dict[str, str]:
        told = {
            "url": self.url,
            "ticker": TICKER,
            "maker": self.maker.address,
            "taker": self.taker.address,
            "resting": self.resting,
        }
        return {**os.environ, "OURO_SCENE": json.dumps(told | more)}

    def run(self, environment: str, program: str) -> Report:
        """A program in an environment, to its end."""
        return self.finish(self.begin(environment, program), Report())

    def begin(self, environment: str, program: str, **more: Any) -> subprocess.Popen[str]:
        command = [python_with(environment), "-m", f"tests.clients.programs.{program}"]
        return subprocess.Popen(
            command,
            cwd=PROGRAMS.parents[2],
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_ready(self, process: subprocess.Popen[str], report: Report) -> None:
        """Read until the program is ready for something to happen."""
        assert process.stdout is not None
        for line in process.stdout:
            report.lines.append(json.loads(line))
            if "ready" in report.lines[-1]:
                return
        self.finish(process, report)
        raise AssertionError(f"it never was ready: {report.errors}")

    def with_event(self, environment: str, program: str, event: Callable[[], dict[str, Any]], **more: Any) -> Report:
        """A program that listens while something happens; `event` says what, and that is in the report, too."""
        report = Report()
        process = self.begin(environment, program, **more)
        try:
            self.until_ready(process, report)
            report.lines.append(event())
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return self.finish(process, report)

    def finish(self, process: subprocess.Popen[str], report: Report) -> Report:
        try:
            told, trouble = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            process.kill()
            told, trouble = process.communicate()
            raise AssertionError(f"it did not end: {told[-3000:]}\n{trouble[-3000:]}") from None
        report.lines += [json.loads(line) for line in told.splitlines()]
        assert process.returncode == 0, trouble
        return report

    def close(self) -> None:
        for client in (self.maker, self.taker, self.http, self.chain):
            client.close()


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A stack of its own: hours pass on its chain, which nobody else expects of theirs."""
    with running_stack(tmp_path_factory.mktemp("stack")) as url:
        made = Scene(url)
        try:
            made.play()
            yield made
        finally:
            made.close()
