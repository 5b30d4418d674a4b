# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro up`: run the whole exchange on this machine, from an empty folder to a served market, until Ctrl-C."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from ouro.deployment import Deployment
from stack.deploy import EXAMPLE_USDC, deploy
from stack.node import BLOCK_TIME_S, CHAIN_ID, Node, project_root
from stack.plan import Plan, Ports
from stack.ports import port_in_use
from stack.state import StateFolder
from stack.supervisor import StackError, Supervisor
from stack.wallets import Role, key_hex

REMEMBER_EVERY_S = 5.0
QUOTES_WITHIN_S = 30.0


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM: time to stop."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _Interrupted


class Stack:
    """One run of the local stack."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state = plan.state
        self.node = plan.node
        self.started_at = time.monotonic()
        self.supervisor = Supervisor(self.state.logs, project_root(), self.say)

    def say(self, text: str) -> None:
        """One line of progress, with the seconds since the start."""
        print(f"[{time.monotonic() - self.started_at:6.1f} s] {text}", flush=True)

    def start(self, *, bots: bool, keeper: bool = True) -> None:
        """Bring everything up in order. Raises `StackError`."""
        self.state.lock()
        for what, port in self.plan.ports.all.items():
            if port_in_use(port):
                raise StackError(
                    f"Port {port}, wanted for {what}, is in use. Stop what listens there, or choose others: "
                    "make up PORT=9000 ANVIL_PORT=9545"
                )
        self.state.check_files()
        resumed = self.state.deployed
        self.say("Starting the chain" + (" where it stopped" if resumed else ""))
        self.supervisor.start(self.node.program(self.state.chain))
        if resumed:
            self.state.check_chain(self.node.block(self.state.seen()[0]))
        else:
            self.say("Compiling and deploying the contracts")
            self.deploy()
        self.node.mine_every(BLOCK_TIME_S)
        self.remember()
        self.say("Starting the price feed")
        self.supervisor.start(self.plan.feed())
        for program in self.plan.services(keeper=keeper):
            self.say(f"Starting the {program.name}")
            self.supervisor.start(program)
        if bots:
            self.say("Starting the bots")
            for program in self.plan.bots():
                self.supervisor.start(program)
            self.wait_for_quotes()

    def wait_for_quotes(self) -> None:
        """Give the market makers time to fill the books, so that the first order finds somebody to trade with."""
        deadline = time.monotonic() + QUOTES_WITHIN_S
        while not self.plan.quoted():
            self.supervisor.watch()
            if time.monotonic() > deadline:
                self.say("The market makers have not quoted yet; see their logs")
                return
            time.sleep(0.25)

    def deploy(self) -> None:
        """Put the contracts on the chain. Raises `StackError`."""
        deploy(self.node, self.state)

    def remember(self) -> None:
        """Record the chain's newest block, by which the next start knows the chain again."""
        block = self.node.block()
        if block is not None:
            self.state.remember(block)

    def watch(self) -> None:
        """Look after the programs until interrupted. Raises `StackError` when the chain is lost."""
        due = time.monotonic()
        while True:
            self.supervisor.watch()
            if time.monotonic() >= due:
                self.remember()
                due = time.monotonic() + REMEMBER_EVERY_S
            time.sleep(0.5)

    def stop(self) -> None:
        """End everything in reverse order; the chain last, after its newest block is on record."""
        self.supervisor.stop(keep=["anvil"])
        if self.state.deployed and self.node.answers():
            self.remember()
        self.supervisor.stop()
        self.state.unlock()

    def describe(self) -> str:
        """What is where, and what to try first."""
        plan = self.plan
        contracts = Deployment.load(self.state.deployment).contracts
        ouro = _shown(Path(sys.executable).with_name("ouro"))
        return f"""
Ouro is up. Open it in a browser:

  {plan.base_url}

  API         {plan.base_url}/v4   reads, orders at /v4/orders, stream at /v4/ws
  relayer     {plan.relayer_url}   the same orders, directly
  chain       {self.node.url}   anvil, chain id {CHAIN_ID}, a block per second
  Exchange    {contracts.exchange}
  Vault       {contracts.vault}
  Oracle      {contracts.oracle}
  test USDC   {contracts.usdc}
  logs        {_shown(self.state.logs)}/   state {_shown(self.state.path)}/

An example trader with {EXAMPLE_USDC:,} test USDC in its wallet (a public development key: local use only).
In another terminal:

  export OURO_URL={plan.base_url}
  export OURO_KEY={key_hex(Role.EXAMPLE_TRADER)}
  {ouro} markets
  {ouro} deposit 1000
  {ouro} order place BTC-USD buy 0.01
  {ouro} positions

Ctrl-C stops everything and keeps the state for the next `make up`; `make clean` forgets it.
"""


def _shown(path: Path) -> str:
    """A path as short as the current folder allows."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def up(
    port: Annotated[
        int, typer.Option(min=1, max=65_533, help="The exchange's port; the two after it are taken too.")
    ] = 8000,
    anvil_port: Annotated[int, typer.Option(min=1, max=65_535, help="The chain's port.")] = 8545,
    state: Annotated[Path | None, typer.Option(help="Folder of the state.", show_default=".ouro")] = None,
    candle_seconds: Annotated[float, typer.Option(min=0.4, help="Seconds to replay one minute's candle in.")] = 8.0,
    bots: Annotated[bool, typer.Option(help="Run the market-making and trading bots.")] = True,
    keeper: Annotated[bool, typer.Option(help="Run a keeper; without it the field is yours.")] = True,
) -> None:
    """Run the whole exchange on this machine: chain, contracts, services, price feed and bots, until Ctrl-C."""
    root = project_root()
    if not (root / "contracts").is_dir():
        raise typer.BadParameter("the local stack runs from a checkout of Ouro, which has the contracts")
    folder = StateFolder((state or root / ".ouro").resolve(), root)
    stack = Stack(Plan(Ports(port, anvil_port), Node(anvil_port), folder, candle_seconds))
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _interrupt)
    failure: StackError | None = None
    try:
        stack.start(bots=bots, keeper=keeper)
        print(stack.describe(), flush=True)
        stack.watch()
    except _Interrupted:
        print(flush=True)
        stack.say("Stopping (state is kept)")
    except StackError as error:
        failure = error
    # A second Ctrl-C must not tear the orderly end apart.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    try:
        stack.stop()
    except StackError as error:
        failure = failure or error
    if failure is not None:
        print(f"\n{failure}", file=sys.stderr, flush=True)
        raise typer.Exit(1)
    stack.say("Stopped")
