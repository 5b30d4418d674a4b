# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro keeper` as people run it: the example file, the checks, the health port, the records; and two that race."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result as Ended
from eth_account import Account
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner

from keeper.assembly import assemble
from keeper.cli import app
from keeper.config import load
from keeper.discovery import discover
from keeper.liquidator import Liquidator, Rescue, Settings
from keeper.outcome import Outcome, Result
from keeper.ports import ChainError, SystemClock
from keeper.runner import Runner
from keeper.sender import FeePolicy
from ouro.units import SCALE
from tests.integration.keeper.conftest import BTC, LIQUIDATOR, LONG, LOTS, PRICE, RIVAL, SHORT, Venue
from tests.support.anvil import ACCOUNTS, record
from tests.support.build import ROOT
from tests.support.waiting import eventually
from tests.support.wire import PositionWord

EXAMPLE = ROOT / "docs" / "examples" / "keeper.yaml"
OURO = Path(sys.executable).with_name("ouro")
THIN = PRICE * 960 // 1_000


class Terminal:
    """A folder with the example file, and the command run in it."""

    def __init__(self, venue: Venue, folder: Path, key: LocalAccount = LIQUIDATOR) -> None:
        self.folder = folder
        deployment = folder / "deployment.json"
        deployment.write_text(json.dumps(record(venue.system, venue.deployment.start_block)))
        self.environment = {
            "OURO_RPC_URL": venue.node.rpc_url,
            "OURO_DEPLOYMENT_PATH": str(deployment),
            "OURO_KEEPER_KEY": "0x" + bytes(key.key).hex(),
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.config = folder / "keeper.yaml"
        # Other tests share the node and move its clock; the port has to be free.
        text = EXAMPLE.read_text().replace("port: 9100", "port: 0")
        text = text.replace("max_ahead_s: 30 ", "max_ahead_s: 9999999 ")
        self.config.write_text(text.replace("max_head_age_s: 60 ", "max_head_age_s: 9999999 "))

    def edit(self, before: str, after: str) -> None:
        """Change the file."""
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))

    def run(self, *arguments: str) -> Ended:
        """In this process: starting another one takes longer than the test."""
        absent = {name: None for name in os.environ if name.startswith("OURO_") and name not in self.environment}
        environment = {**absent, **self.environment}
        return CliRunner().invoke(app, [*arguments, "-c", str(self.config)], env=environment)


@pytest.fixture
def terminal(venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(venue, tmp_path)


def test_the_example_runs_and_liquidates(venue: Venue, terminal: Terminal) -> None:
    log = terminal.folder / "keeper.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(OURO), "keeper", "run", "-c", str(terminal.config)],
            cwd=terminal.folder,
            env={**os.environ, **terminal.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        lines = eventually(lambda: [x for x in log.read_text().splitlines() if "metrics at port" in x], "it starts")
        base = f"http://127.0.0.1:{lines[0].rsplit(' ', 1)[1]}"
        assert httpx.get(f"{base}/health").json() == {"status": "ok"}
        eventually(lambda: httpx.get(f"{base}/ready").json()["ready"], "every bot has made a round")
        venue.push(THIN)
        word = eventually(
            lambda: PositionWord.unpack(venue.system.exchange.call.position(LIQUIDATOR.address, 0, BTC)).size,
            "the keeper holds what it took over",
        )
        assert 0 < word < LOTS
        won = 'ouro_keeper_outcomes_total{bot="liquidation",result="won"} 1.0'
        eventually(lambda: won in httpx.get(f"{base}/metrics").text, "the metrics count it")
        assert httpx.get(f"{base}/elsewhere").status_code == 404
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0, log.read_text()
    found = [json.loads(line) for line in (terminal.folder / ".ouro" / "keeper.jsonl").read_text().splitlines()]
    [won_record] = [each for each in found if each["kind"] == "outcome" and each["result"] == "won"]
    assert (won_record["bot"], won_record["lots"]) == ("liquidation", word)
    assert int(won_record["gasWei"]) > 0
    assert bytes(LIQUIDATOR.key).hex() not in log.read_text()


def test_the_check_says_what_is_there(terminal: Terminal) -> None:
    done = terminal.run("check")
    assert done.exit_code == 0, done.stderr
    assert "2 accounts with positions, 0 below maintenance margin" in done.stdout
    assert "subaccount 0 has 10000 USDC of free margin" in done.stdout


def test_the_check_says_what_is_missing(venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    poor = Terminal(venue, tmp_path, Account.create())
    done = poor.run("check")
    assert done.exit_code == 1
    assert "too little for gas" in done.stderr
    assert "deposit first" in done.stderr
    del poor.environment["OURO_KEEPER_KEY"]
    done = poor.run("check")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "set OURO_KEEPER_KEY" in done.stderr
    poor.environment |= {"OURO_KEEPER_KEY": "0x" + "11" * 32, "OURO_RPC_URL": "http://127.0.0.1:9"}
    done = poor.run("check")
    assert (done.exit_code, "does not answer" in done.stderr) == (3, True)


def test_a_stale_chain_is_not_acted_on(venue: Venue, terminal: Terminal) -> None:
    """A minute of this machine's clock is not what the node shows."""
    terminal.edit("max_ahead_s: 9999999 ", "max_ahead_s: 0 ")
    venue.node.rpc.warp(10_000)
    done = terminal.run("once", "--dry-run")
    assert done.exit_code == 1
    assert "ahead of this machine's clock" in done.stderr


def test_the_exchanges_address_is_enough(venue: Venue, terminal: Terminal) -> None:
    """No record: a key, a node and an address. The keeper finds the rest, and the thin account, from the chain."""
    address = venue.deployment.contracts.exchange
    terminal.edit("  # first_block: 0", f'  exchange: "{address}"\n  # first_block: 0')
    del terminal.environment["OURO_DEPLOYMENT_PATH"]
    venue.push(THIN)
    checked = terminal.run("check", "--json")
    assert checked.exit_code == 0, checked.stderr
    findings = json.loads(checked.stdout)["findings"]
    assert any(address in each["text"] for each in findings)
    assert not any(each["problem"] for each in findings)
    done = terminal.run("once", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["liquidatable"] == 1
    won = [each for each in told["outcomes"] if each["bot"] == "liquidation"]
    assert [(each["result"], each["subject"][:7], each["unwindCostBy"]) for each in won] == [
        ("won", "BTC-USD", "setting")
    ]
    found = discover(venue.chain(), address)
    assert found.contracts == venue.deployment.contracts
    assert [(m.id, m.ticker, m.imf_ppm, m.tick, m.state) for m in found.markets] == [
        (m.id, m.ticker, m.imf_ppm, m.tick, m.state) for m in venue.deployment.markets
    ]
    assert found.operator == venue.deployment.operator
    assert found.start_block <= venue.deployment.start_block + 20
    with pytest.raises(ChainError, match=r"there is no vault at that address|reverts"):
        discover(venue.chain(), LONG.address)


def test_gas_money_is_bounded_by_the_hour(venue: Venue) -> None:
    venue.push(THIN)
    tools = venue.tools(fees=FeePolicy(wei_per_hour=1_000))
    [outcome] = Liquidator(tools.surveyor, tools.executor, tools.clock, Settings()).round()
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, "not sent: the hour's gas money is spent")


def test_a_bot_in_trouble_is_named_rests_and_goes_on(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are not held up by it."""
    terminal = Terminal(venue, tmp_path)
    for name, value in terminal.environment.items():
        monkeypatch.setenv(name, value)
    source = tmp_path / "prices.json"
    text = "chain: {max_head_age_s: 9999999, max_ahead_s: 9999999}\nbots:\n  funding: {every_s: 0.01}\n"
    text += f"  oracle: {{source: {source}, every_s: 0.01}}\n"
    terminal.config.write_text(text)
    assembly = assemble(load(terminal.config))
    try:
        runner = Runner(assembly, SystemClock())
        runner.step()
        [problem] = runner.problems()
        assert problem.startswith("oracle: ")
        assert "gives no prices" in problem
        source.write_text("[]")
        eventually(lambda: runner.step() or not runner.problems(), "the bot goes on")
        text = assembly.metrics.exposition().decode()
        assert 'ouro_keeper_trouble_total{bot="oracle"}' in text
        assert 'ouro_keeper_trouble_total{bot="funding"}' not in text
    finally:
        assembly.close()


RACERS = ACCOUNTS[8:10]
PREY = 8


def test_two_keepers_race_and_nobody_loses_more_than_gas(venue: Venue) -> None:
    """Both want the same accounts in the same block."""
    rpc = venue.node.rpc
    prey = [Account.from_key(bytes([number + 1]) * 32) for number in range(PREY)]
    for key in prey:
        rpc.fund(key.address)
        venue.system.fund(key.address, 100_000_000)
        venue.trade(key, SHORT, 750, PRICE)
    for racer in RACERS:
        venue.system.fund(racer.address, 5_000_000_000)
    before = {racer.address: int(rpc.request("eth_getBalance", racer.address, "latest"), 16) for racer in RACERS}
    venue.push(THIN)
    rpc.request("evm_setAutomine", False)
    outcomes: dict[str, list[Outcome]] = {racer.address: [] for racer in RACERS}

    def race(racer: LocalAccount, bot: Any) -> None:
        for _ in range(3):
            outcomes[racer.address] += bot.round()

    bots = [venue.keeper(racer, rescue=Rescue.ALL, retry_after_s=0.1) for racer in RACERS]
    threads = [threading.Thread(target=race, args=pair) for pair in zip(RACERS, bots, strict=True)]

    def waiting() -> int:
        return int(rpc.request("txpool_status")["pending"], 16)

    try:
        # What waits in the pool may never be mined: it keeps nobody from trying.
        for number, thread in enumerate(threads, 1):
            thread.start()
            eventually(lambda number=number: waiting() == number * (PREY + 1), "it wants everybody in the next block")
        while any(thread.is_alive() for thread in threads):
            rpc.request("evm_mine")
            threads[0].join(0.2)
    finally:
        rpc.request("evm_setAutomine", True)
    found = [outcome for each in outcomes.values() for outcome in each]
    won = [outcome for outcome in found if outcome.result is Result.WON]
    # The eight and the long of before are all healthy again, each taken over once.
    survey = bots[0].surveyor.survey()
    assert survey.liquidatable() == []
    assert len(won) == len({outcome.attempt.subject.split(",")[0] for outcome in won}) == PREY + 1
    lost = [outcome for outcome in found if outcome.result is Result.OUTCOMPETED]
    names = {racer.address for racer in RACERS}
    assert all(outcome.reason.removeprefix("by ") in names for outcome in lost)
    assert len(lost) == PREY + 1
    for racer in RACERS:
        mine = outcomes[racer.address]
        equity, _, _ = venue.margin(racer)
        gain = sum(outcome.gain for outcome in mine)
        assert equity == (5_000_000_000 + gain) * SCALE
        assert gain >= 0
        paid = before[racer.address] - int(rpc.request("eth_getBalance", racer.address, "latest"), 16)
        assert paid == sum(outcome.gas_wei for outcome in mine)
    assert RIVAL.address not in names
