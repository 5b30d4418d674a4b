# SPDX-License-Identifier: AGPL-3.0-only
"""A liquidation cascade: prices fall by 60% in a minute over 1,000 accounts, and keepers clear what falls.

    python -m bench.cascade [--accounts N] [--seconds S] [--fall PERCENT] [--keepers K] [--json FILE]

Contracts and node are real, blocks come every second, prices are pushed all the way down. The keepers race each other;
the first one deleverages, too. They have no book to sell into here, so what they took over falls on with the price:
that is their loss, and it is measured, not avoided. Afterwards the money in the Vault, open interest, the insurance
fund and the health of every account are held against each other. Raises `CascadeError` where they disagree.
"""

import argparse
import json
import logging
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from bench.cascade_check import INVARIANTS, CascadeError, check
from bench.cascade_venue import MARKETS, MICRO, CascadeVenue, Fall
from keeper.deleverager import Deleverager
from keeper.liquidator import Liquidator, Rescue, Settings
from keeper.outcome import Outcome, Result
from keeper.ports import ChainError, SystemClock
from keeper.rpc_chain import RpcChain
from keeper.sender import FeePolicy
from keeper.survey import Surveyor
from keeper.tools import Tools
from ouro.units import SCALE

RESULTS = Path(__file__).with_name("results") / "cascade.json"
CLEAR_WITHIN_S = 180.0
PUSH_EVERY_S = 1.0
IN_FLIGHT = 200


class KeeperThread(threading.Thread):
    """A keeper with a node connection of its own: liquidation, and on request deleveraging."""

    def __init__(self, venue: CascadeVenue, account: LocalAccount, stop: threading.Event, *, deleverages: bool) -> None:
        super().__init__(name=f"keeper {account.address}")
        self.account = account
        self.outcomes: list[Outcome] = []
        self.trouble: list[str] = []
        self._stop_event = stop
        self._chain = RpcChain(venue.node.rpc_url)
        fees = FeePolicy(in_flight=IN_FLIGHT, bump_after_s=20.0)
        tools = Tools.of(
            self._chain, SystemClock(), venue.deployment, account, fees=fees, on_outcome=self.outcomes.append
        )
        settings = Settings(rescue=Rescue.ALL, at_once=IN_FLIGHT, retry_after_s=2.0)
        self._bots: list[Liquidator | Deleverager] = [Liquidator(tools.surveyor, tools.executor, tools.clock, settings)]
        if deleverages:
            self._bots.append(
                Deleverager(tools.surveyor, tools.executor, tools.clock, at_once=IN_FLIGHT, retry_after_s=2.0)
            )

    def run(self) -> None:
        while not self._stop_event.is_set():
            try:
                found = [outcome for bot in self._bots for outcome in bot.round()]
            except ChainError as error:
                self.trouble.append(str(error))
                found = []
            if not found:
                self._stop_event.wait(0.1)
        self._chain.close()


@dataclass
class Course:
    """What a watcher saw, a sample a second: seconds since the fall began, accounts below maintenance, insolvent."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def most(self) -> int:
        return max((below for _, below, _ in self.samples), default=0)

    @property
    def most_insolvent(self) -> int:
        return max((insolvent for _, _, insolvent in self.samples), default=0)


def fall(venue: CascadeVenue, path: Fall, keepers: list[KeeperThread]) -> tuple[Course, float]:
    """Let prices fall, and wait until nobody is below maintenance; what was seen, and the seconds it took in all."""
    watcher = RpcChain(venue.node.rpc_url)
    surveyor = Surveyor(watcher, venue.deployment)
    course = Course()
    for keeper in keepers:
        keeper.start()
    started = time.monotonic()
    try:
        while True:
            elapsed = time.monotonic() - started
            venue.push(path.at(elapsed))
            survey = surveyor.survey()
            insolvent = sum(health.is_insolvent for health in survey.health.values())
            course.samples.append((round(time.monotonic() - started, 1), len(survey.liquidatable()), insolvent))
            if elapsed >= path.seconds and not survey.liquidatable():
                return course, time.monotonic() - started
            if elapsed > path.seconds + CLEAR_WITHIN_S:
                told = Counter(
                    (outcome.attempt.bot, str(outcome.result), outcome.reason[:40])
                    for keeper in keepers
                    for outcome in keeper.outcomes
                )
                left = f"{len(survey.liquidatable())} accounts are below maintenance after {elapsed:.0f} s"
                raise CascadeError(f"{left}: {told.most_common(12)}")
            time.sleep(max(0.0, PUSH_EVERY_S - (time.monotonic() - started - elapsed)))
    finally:
        watcher.close()


def run(accounts: int, path: Fall, keepers: int, seed: int = 1) -> dict[str, Any]:
    """One cascade, checked; its figures. Money in USDC."""
    with CascadeVenue.started(accounts, keepers, seed) as venue:
        before = venue.books()
        stop = threading.Event()
        bots = [
            KeeperThread(venue, account, stop, deleverages=number == 0) for number, account in enumerate(venue.keepers)
        ]
        venue.mine_by_the_clock()
        try:
            course, seconds = fall(venue, path, bots)
        finally:
            stop.set()
            for bot in bots:
                if bot.ident is not None:
                    bot.join()
        check(venue)
        after = venue.books()
        return {
            "accounts": accounts,
            "fall": asdict(path),
            "keepers": keepers,
            "positions": {"before": before.positions, "after": after.positions},
            "notionalBeforeUsdc": before.notional // MICRO,
            "seconds": {"fall": path.seconds, "untilClear": round(seconds, 1)},
            "below": {"most": course.most, "mostInsolvent": course.most_insolvent, "left": 0},
            "accountsTakenOver": len({event.account for event in venue.taken_over()}),
            "transactions": _transactions(bots),
            "gas": _gas(bots, venue),
            "insuranceUsdc": {"before": _usdc(before.insurance), "after": _usdc(after.insurance)},
            "backstopUsdc": {"before": _usdc(before.backstop), "after": _usdc(after.backstop)},
            "lossSpreadUsdc": _usdc(venue.spread()),
            "deleveraged": sum(
                outcome.result is Result.WON and outcome.attempt.bot == Deleverager.name
                for bot in bots
                for outcome in bot.outcomes
            ),
            "keepersUsdc": [
                {
                    "deposited": venue.keeper_usdc,
                    "discountEarned": _usdc(sum(outcome.gain for outcome in bot.outcomes)),
                    "equityAfter": _usdc(venue.equity(bot.account) // SCALE),
                }
                for bot in bots
            ],
            "trouble": dict(Counter(text for bot in bots for text in bot.trouble)),
            "course": course.samples,
            "invariants": list(INVARIANTS),
        }


def _transactions(bots: list[KeeperThread]) -> dict[str, int]:
    counted = Counter(f"{outcome.attempt.bot} {outcome.result}" for bot in bots for outcome in bot.outcomes)
    return dict(sorted(counted.items()))


def _gas(bots: list[KeeperThread], venue: CascadeVenue) -> dict[str, int]:
    sent = [outcome for bot in bots for outcome in bot.outcomes if outcome.transaction_hash]
    won = [outcome for outcome in sent if outcome.result is Result.WON]
    used = venue.gas_used([outcome.transaction_hash for outcome in sent])
    of_won = sum(used[outcome.transaction_hash] for outcome in won)
    return {
        "used": sum(used.values()),
        "perTakeOver": of_won // max(1, len(won)),
        "ofLostRaces": sum(used.values()) - of_won,
    }


def _usdc(micro: int) -> str:
    return f"{micro / MICRO:.2f}"


def main() -> int:
    """Run, print, write. 0 when every invariant held."""
    parser = argparse.ArgumentParser(prog="python -m bench.cascade", description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fall", type=int, default=60, metavar="PERCENT")
    parser.add_argument("--keepers", type=int, default=2)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    figures = run(options.accounts, Fall(options.fall, options.seconds), options.keepers)
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    shown = {name: value for name, value in figures.items() if name != "course"}
    sys.stdout.write(json.dumps(shown, indent=2) + f"\n{', '.join(MARKETS)}: every invariant holds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
