# SPDX-License-Identifier: AGPL-3.0-only
"""Random days on a chain with nonces and journal heads, where reorgs bring batches back that were given up."""

from dataclasses import dataclass
from random import Random

import pytest
from eth_utils.crypto import keccak

from relayer.core.inputs import BatchBuilt
from tests.reference.exchange import Executed
from tests.support.wire import Fill, Signed
from tests.unit.relayer_core.exchange_model import _id_of, address
from tests.unit.relayer_core.scenario import ROLES, Day


@dataclass(frozen=True)
class Moment:
    """What the chain holds after a block, besides the accounts: the operator's head and nonce, fills settled so far."""

    head: bytes = bytes(32)
    nonce: int = 0
    settled: tuple[int, ...] = ()


class HostileDay(Day):
    """The relayer's side follows the settler's rules; the chain does what it likes within the contract's."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.now = Moment()
        self.moments = [self.now] * len(self.venue.blocks)
        self.sent: list[tuple[BatchBuilt, list[Signed], list[Fill]]] = []

    def step(self) -> None:
        kinds = ["place"] * 10 + ["cancel"] * 2 + ["build"] * 4 + ["land"] * 4 + ["dance"] * 3 + ["burn", "give_up"]
        getattr(self, f"_{self.rng.choice([*kinds, 'tick', 'price', 'undo', 'late'])}")()
        self._note()

    def _note(self) -> None:
        """What holds after every block that came since."""
        self.moments += [self.now] * (len(self.venue.blocks) - len(self.moments))

    def _build(self) -> None:
        core = self.venue.core
        batch, pending = core.next_batch(), core.pending_batches()
        if batch is None or len(pending) >= 4 or (pending and pending[0].prev != core.chain_head):
            return
        nonce = pending[-1].nonce + 1 if pending else self.now.nonce
        head = keccak(text=f"batch {len(self.sent)}")
        built = BatchBuilt(core.last_batch[0] + 1, nonce, batch.fill_ids, core.next_prev, head, b"raw")
        orders = [self.venue.signed[_id_of(self.venue.signed, *words[:2])] for words in batch.orders]
        fills = [
            Fill(f.fill_id, f.price, f.size, f.taker, f.maker, f.taker_fee_ppm, f.maker_fee_ppm) for f in batch.fills
        ]
        self.venue.apply(built)
        self.sent.append((built, orders, fills))

    def _land(self) -> bool:
        """Some transaction that was ever sent lands, if the chain still takes it, given up or not."""
        fitting = [each for each in self.sent if (each[0].nonce, each[0].prev) == (self.now.nonce, self.now.head)]
        if not fitting:
            return False
        built, orders, fills = self.rng.choice(fitting)
        outcomes = self.venue.land(built, orders, fills)
        done = [fill.fill_id for fill, each in zip(fills, outcomes, strict=True) if isinstance(each, Executed)]
        assert not set(done) & set(self.now.settled), "settled twice"
        self.now = Moment(built.next, built.nonce + 1, (*self.now.settled, *done))
        self.venue.mine()
        self._note()
        return True

    def _burn(self) -> None:
        """The next transaction is in a block, and undone."""
        if any(batch.nonce == self.now.nonce for batch in self.venue.core.pending_batches()):
            self._use_nonce(self.now.nonce)

    def _use_nonce(self, nonce: int) -> None:
        self.now = Moment(self.now.head, nonce + 1, self.now.settled)
        self.venue.mine()
        self._note()

    def _give_up(self) -> None:
        dead = [batch for batch in self.venue.core.pending_batches() if batch.nonce < self.now.nonce]
        for batch in reversed(dead):
            self.venue.drop_batch(batch.number)

    def _undo(self) -> None:
        """A fill that waits is found to make settlement revert, with all that must settle with it."""
        batch = self.venue.core.next_batch(1)
        if batch is not None:
            self.venue.undo(*batch.fill_ids)

    def _late(self) -> None:
        """The window of whatever waits passes."""
        if self.rng.random() < 0.2:
            self.venue.tick(61_000)
            self._fresh()

    def _dance(self) -> None:
        """A batch is undone and given up, others follow, and then none of it has happened."""
        height = len(self.venue.blocks)
        self._build()
        self._burn()
        self._give_up()
        for move in self.rng.choices([self._build, self._land, self._block], k=self.rng.randrange(3)):
            move()
        self._note()
        if self.safe_height > height or len(self.venue.blocks) == height:
            return
        self.venue.revert(height)
        self.venue.logs = []
        del self.moments[height:]
        self.now = self.moments[-1]
        for _ in range(self.rng.randrange(4)):
            self._land()
        self._give_up()

    def finish(self) -> None:
        """Until everything is decided."""
        core = self.venue.core
        while core.unsettled or core.pending_batches():
            self._give_up()
            pending = core.pending_batches()
            if pending and not self._land():
                self._use_nonce(pending[0].nonce)
            elif core.next_batch() is not None:
                self._build()
            elif not pending:
                self.venue.mine(final=len(self.venue.blocks) + 1)
                self._note()


@pytest.mark.parametrize("seed", range(12))
def test_86_every_fill_settles_once_or_is_undone_whatever_comes_back(seed: int) -> None:
    day = HostileDay(Random(seed))
    for _ in range(80):
        day.step()
    day.finish()
    last = {fill_id: said[-1] for fill_id, said in day.venue.fills_said().items()}
    assert {fill_id for fill_id, said in last.items() if said in ("confirmed", "final")} == set(day.now.settled)
    assert set(last.values()) <= {"confirmed", "final", "rejected"}
    for role in ROLES:
        day.venue.cancel_all(role)
        chain = day.venue.model.withdrawable((address(role), 0))
        assert day.venue.core.withdrawable(address(role), 0) == chain
