# SPDX-License-Identifier: AGPL-3.0-only
"""Who holds what, what was requested and what is ending, from the contracts' events alone."""

from dataclasses import dataclass

from keeper.ports import Chain, Head
from ouro import events
from ouro.deployment import Deployment
from ouro.ledger import Ledger

BLOCKS_PER_REQUEST = 5_000

Account = tuple[str, int]
"""Owner address and subaccount number."""


@dataclass(frozen=True)
class CloseRequest:
    """Lots (positive) of a position that somebody may close from `ready_at` (s) on, for an hour."""

    account: Account
    market: int
    lots: int
    is_long: bool
    ready_at: int


@dataclass(frozen=True)
class Ending:
    """A market that ends: its price may be fixed from `settle_at` (s) on; it is, once `everyone_from` is known, from
    which time on every position may be closed.
    """

    market: int
    settle_at: int
    everyone_from: int | None = None


class ChainWatch:
    """A ledger that follows the chain. After a reorg it reads everything again."""

    def __init__(self, chain: Chain, deployment: Deployment, *, blocks_per_request: int = BLOCKS_PER_REQUEST) -> None:
        self.chain = chain
        self.deployment = deployment
        self.blocks_per_request = blocks_per_request
        self.rebuilds = 0
        contracts = deployment.contracts
        self._addresses = (contracts.exchange, contracts.vault, contracts.oracle)
        self._seen: Head | None = None
        self._next = deployment.start_block
        self._start()

    def sync(self) -> Head:
        """Bring the ledger up to the newest block, which is returned."""
        head = self.chain.head()
        if self._seen is not None and head.hash == self._seen.hash:
            return head
        if self._seen is not None and (
            head.number < self._seen.number or self.chain.block_hash(self._seen.number) != self._seen.hash
        ):
            self._start()
            self.rebuilds += 1
        while self._next <= head.number:
            last = min(head.number, self._next + self.blocks_per_request - 1)
            decoded = map(events.decode_log, self.chain.logs(self._addresses, self._next, last))
            found = [event for event in decoded if event is not None]
            self.ledger.apply_all(found)
            for event in found:
                self._note(event)
            self._next = last + 1
        self._seen = head
        return head

    @property
    def height(self) -> int:
        """Number of the newest block that was read."""
        return self._next - 1

    def holders(self) -> list[Account]:
        """Every account with a position, in a fixed order."""
        return sorted(account for account in self.ledger.accounts if self.markets_of(account))

    def debtors(self) -> list[Account]:
        """Accounts without a position whose cash is below zero: what a settled market left unpaid."""
        found = (
            account
            for account, state in self.ledger.accounts.items()
            if state.cash < 0 and not self.markets_of(account)
        )
        return sorted(found)

    def markets_of(self, account: Account) -> list[int]:
        """Ids of the markets in which an account holds a position."""
        known = self.ledger.accounts.get(account)
        return [] if known is None else sorted(id_ for id_, word in known.positions.items() if word.size)

    def lots_of(self, account: Account, market_id: int) -> int:
        """Signed lots that an account holds in a market."""
        known = self.ledger.accounts.get(account)
        word = known.positions.get(market_id) if known is not None else None
        return 0 if word is None else word.size

    def opposite(self, market_id: int, held: int) -> list[Account]:
        """Accounts whose position in a market is on the other side of one of `held` signed lots."""
        return [account for account in self.holders() if self.lots_of(account, market_id) * held < 0]

    def _note(self, event: events.Event) -> None:
        match event:
            case events.CloseRequested():
                account = (event.account, event.subaccount)
                self.closes[account, event.market] = CloseRequest(
                    account, event.market, abs(event.size), event.size > 0, event.ready_at
                )
            case events.CloseExecuted():
                key = (event.account, event.subaccount), event.market
                request = self.closes.pop(key, None)
                if request is not None and event.left:
                    self.closes[key] = CloseRequest(
                        request.account, request.market, event.left, request.is_long, request.ready_at
                    )
            case events.SettlingBegun():
                self.endings[event.market] = Ending(event.market, event.settle_at)
            case events.SettlementFixed():
                begun = self.endings[event.market]
                self.endings[event.market] = Ending(event.market, begun.settle_at, event.everyone_from)
            case events.BatchSettled():
                self.batches += 1
            case events.OperatorSet():
                (self.operators.add if event.allowed else self.operators.discard)(event.operator)
            case _:
                pass

    def _start(self) -> None:
        # Markets come with their own events, whatever the deployment's record says of them.
        self.ledger = Ledger(self.deployment.markets)
        self.closes: dict[tuple[Account, int], CloseRequest] = {}
        self.endings: dict[int, Ending] = {}
        self.operators: set[str] = set()
        self.batches = 0
        self._seen = None
        self._next = self.deployment.start_block
