# SPDX-License-Identifier: AGPL-3.0-only
"""Turns what a bot wants into transactions: simulates, sends, and finds out what became of each."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.outcome import Attempt, Outcome, Result
from keeper.ports import Call, Chain, ChainError, Receipt, RefusedError
from keeper.sender import Sender, UnminedError
from ouro import events

log = logging.getLogger(__name__)

WATERFALL_GAS = 150_000
"""What a close may need more than when it was simulated: those before it may have emptied what pays for holes first."""
EXACT = 16
"""How many calls of a round are simulated for their gas."""


def _done(_found: list[events.Event]) -> tuple[int, int] | None:
    return 0, 0


def _nobody(_event: events.Event) -> str:
    return ""


@dataclass(frozen=True)
class Action:
    """An attempt and its call. `gained` reads lots and gain off the events of a success, None when nothing came of it;
    `rival` names who did the same thing first if an event says so, "" otherwise. `headroom` is gas that the call may
    need beyond its simulation, when others are in the block before it. `sign` is the first topic (0x hex) of a foreign
    contract's log without which nothing came of it.
    """

    attempt: Attempt
    call: Call
    gained: Callable[[list[events.Event]], tuple[int, int] | None] = _done
    rival: Callable[[events.Event], str] = _nobody
    headroom: int = 0
    sign: str = ""


@dataclass(frozen=True)
class Simulated:
    """An action that would succeed now, with the gas it would use."""

    action: Action
    gas: int


class Executor:
    """What the bots of one key share: one sender, one way of telling outcomes."""

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        *,
        dry_run: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.chain = chain
        self.sender = sender
        self.dry_run = dry_run
        self.on_outcome = on_outcome

    @property
    def address(self) -> str:
        """Who sends."""
        return str(self.sender.account.address)

    def run(self, actions: Sequence[Action]) -> list[Outcome]:
        """Simulate and send; how each ended, in order. Raises `ChainError`."""
        if not actions:
            return []
        since = self.chain.head().number
        outcomes = []
        ready = []
        for action, answer in zip(actions, self.simulate(actions), strict=True):
            if isinstance(answer, RefusedError):
                outcomes.append(self.skip(action.attempt, answer.reason))
            else:
                ready.append(answer)
        return outcomes + self.send(ready, since)

    def simulate(self, actions: Sequence[Action]) -> list[Simulated | RefusedError]:
        """What each would do now. Where there are many of one kind, gas is asked of the first ones that would succeed,
        and twice the most of it is taken for the others: asking takes a node twenty times as long as trying.
        """
        calls = [action.call for action in actions]
        tried = self.chain.try_many(calls) if len(calls) > EXACT else [None] * len(calls)
        willing = [place for place, refusal in enumerate(tried) if refusal is None]
        first, others = willing[:EXACT], willing[EXACT:]
        gas = dict(zip(first, self.chain.simulate_many([calls[place] for place in first]), strict=True))
        most = 2 * max((used for used in gas.values() if isinstance(used, int)), default=0)
        if most:
            gas |= dict.fromkeys(others, most)
        else:
            gas |= dict(zip(others, self.chain.simulate_many([calls[place] for place in others]), strict=True))
        answers = [refusal or gas[place] for place, refusal in enumerate(tried)]
        return [_simulated(action, answer) for action, answer in zip(actions, answers, strict=True)]

    def send(self, ready: Sequence[Simulated], since: int) -> list[Outcome]:
        """Send what was simulated (say so in a dry run); how each ended, in order. A rival is one who came after block
        `since`.
        """
        if self.dry_run:
            return [self.skip(each.action.attempt, f"dry run, {each.gas} gas") for each in ready]
        if not ready:
            return []
        results = self.sender.send_all([(each.action.call, each.gas + each.action.headroom) for each in ready])
        return [
            self.tell(self._outcome(each.action, result, since)) for each, result in zip(ready, results, strict=True)
        ]

    def skip(self, attempt: Attempt, reason: str) -> Outcome:
        """An attempt that is not made."""
        return self.tell(Outcome(attempt, Result.SKIPPED, reason))

    def tell(self, outcome: Outcome) -> Outcome:
        """Log and record an outcome."""
        log.info("%s", outcome.line())
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        return outcome

    def _outcome(self, action: Action, result: Receipt | RefusedError | UnminedError, since: int) -> Outcome:
        attempt = action.attempt
        if isinstance(result, UnminedError):
            return Outcome(attempt, Result.SKIPPED, str(result))
        if isinstance(result, RefusedError):
            return Outcome(attempt, Result.SKIPPED, f"not sent: {result.reason}")
        name, cost = result.transaction_hash, result.cost_wei
        if result.succeeded:
            gained = action.gained(_decoded(result.logs))
            if gained is None or not _shows(result.logs, action.sign):
                return Outcome(attempt, Result.OUTCOMPETED, "nothing was left to do", name, gas_wei=cost)
            return Outcome(attempt, Result.WON, "", name, *gained, gas_wei=cost)
        rival = self._rival(action, since, result.block_number)
        if rival:
            return Outcome(attempt, Result.OUTCOMPETED, f"by {rival}", name, gas_wei=cost)
        return Outcome(attempt, Result.REVERTED, self._why(action.call, result), name, gas_wei=cost)

    def _why(self, call: Call, receipt: Receipt) -> str:
        """What the contract says to the same call on the block's state."""
        block_hash = self.chain.block_hash(receipt.block_number)
        if block_hash is None:
            raise ChainError(f"block {receipt.block_number} is gone")
        [answer] = self.chain.call_many([call], block_hash)
        return answer.reason if isinstance(answer, RefusedError) else "reverted, but would not now"

    def _rival(self, action: Action, since: int, last: int) -> str:
        """Who did the same after block `since`, if anybody."""
        names = (action.rival(event) for event in _decoded(self.chain.logs([action.call.to], since + 1, last)))
        return next((name for name in names if name), "")


def _simulated(action: Action, answer: int | RefusedError) -> Simulated | RefusedError:
    return answer if isinstance(answer, RefusedError) else Simulated(action, answer)


def _shows(logs: Iterable[dict[str, Any]], sign: str) -> bool:
    return not sign or any(log["topics"][:1] == [sign] for log in logs)


def _decoded(logs: Iterable[dict[str, Any]]) -> list[events.Event]:
    return [event for event in map(events.decode_log, logs) if event is not None]
