# SPDX-License-Identifier: AGPL-3.0-only
"""Runs the bots in turn, each as often as it wants, and goes on when one cannot."""

import logging
import threading

from keeper.assembly import Assembly, Bot
from keeper.ports import ChainError, Clock
from keeper.triggers import OrderFileError
from ouro.errors import OuroError

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 30.0
SHORTEST_WAIT_S = 0.05
GRACE_S = 60.0
"""A bot that has not finished a round for so long beyond its pause is a problem."""


class _Turn:
    """One bot's place in the schedule."""

    def __init__(self, bot: Bot, every_s: float, now: float) -> None:
        self.bot = bot
        self.every_s = every_s
        self.due = now
        self.finished = now
        self.pause_s = every_s
        self.problem = ""


class Runner:
    """All bots of one key, in one thread: their transactions share one sequence of nonces."""

    def __init__(self, assembly: Assembly, clock: Clock) -> None:
        self.assembly = assembly
        self.clock = clock
        self._turns = [_Turn(bot, every_s, clock.now()) for bot, every_s in assembly.bots]

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            self.step()
            stop.wait(max(SHORTEST_WAIT_S, min(turn.due for turn in self._turns) - self.clock.now()))

    def step(self) -> None:
        """One round of every bot that is due."""
        for turn in self._turns:
            if turn.due <= self.clock.now():
                self._round(turn)

    def problems(self) -> list[str]:
        """Why the keeper is not ready, a line for each bot that is in trouble."""
        now = self.clock.now()
        found = []
        for turn in self._turns:
            silent = now - turn.finished
            if turn.problem:
                found.append(f"{turn.bot.name}: {turn.problem}")
            elif silent > turn.every_s + GRACE_S:
                found.append(f"{turn.bot.name}: no round for {silent:.0f} s")
        return found

    def _round(self, turn: _Turn) -> None:
        metrics, name = self.assembly.metrics, turn.bot.name
        started = self.clock.now()
        problem = ""
        try:
            turn.bot.round()
        except (ChainError, OrderFileError, OuroError) as error:
            problem = str(error)
            metrics.trouble.labels(bot=name).inc()
        if problem and problem != turn.problem:
            log.warning("%s: %s", name, problem)
        elif turn.problem and not problem:
            log.info("%s: goes on", name)
        turn.problem = problem
        now = self.clock.now()
        turn.pause_s = min(LONGEST_PAUSE_S, 2 * turn.pause_s) if problem else turn.every_s
        turn.due, turn.finished = now + turn.pause_s, now
        metrics.rounds.labels(bot=name).inc()
        metrics.seconds.labels(bot=name).set(now - started)
        self._note()

    def _note(self) -> None:
        metrics, tools = self.assembly.metrics, self.assembly.tools
        if tools.surveyor.last is not None:
            metrics.looked(tools.surveyor.last)
        metrics.watched(self.assembly.board)
        metrics.bumps.set(tools.executor.sender.bumped)
