# SPDX-License-Identifier: AGPL-3.0-only
"""Which accounts hold positions, from the contracts' events alone, and which of them look thin.

The ledger's figures are as old as the last event, so they only choose whom to look at; whether an account may be
liquidated is then asked of the contract.
"""

from keeper.ports import Chain, Head
from ouro import events
from ouro.deployment import Deployment
from ouro.ledger import Ledger
from ouro.units import PPM

BLOCKS_PER_REQUEST = 5_000

Account = tuple[str, int]
"""Owner address and subaccount number."""


class AccountWatch:
    """A ledger that follows the chain. After a reorg it reads everything again."""

    def __init__(self, chain: Chain, deployment: Deployment, *, near_ppm: int = 1_250_000) -> None:
        """`near_ppm` is the ratio of equity to maintenance margin below which an account is worth a look."""
        self.chain = chain
        self.deployment = deployment
        self.near_ppm = near_ppm
        self.rebuilds = 0
        contracts = deployment.contracts
        self._addresses = (contracts.exchange, contracts.vault, contracts.oracle)
        self._seen: Head | None = None
        self._next = 0
        self._start()

    def sync(self) -> Head:
        """Bring the ledger up to the newest block, which is returned."""
        head = self.chain.head()
        if self._seen is not None and (
            head.number < self._seen.number or self.chain.block_hash(self._seen.number) != self._seen.hash
        ):
            self._start()
            self.rebuilds += 1
        while self._next <= head.number:
            last = min(head.number, self._next + BLOCKS_PER_REQUEST - 1)
            decoded = map(events.decode_log, self.chain.logs(self._addresses, self._next, last))
            self.ledger.apply_all(event for event in decoded if event is not None)
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

    def suspects(self) -> list[Account]:
        """Those of the holders whose equity was near or below maintenance margin at the last event."""
        return [account for account in self.holders() if self._is_near(account)]

    def markets_of(self, account: Account) -> list[int]:
        """Ids of the markets in which an account holds a position."""
        positions = self.ledger.accounts[account].positions
        return sorted(market_id for market_id, word in positions.items() if word.size)

    def _is_near(self, account: Account) -> bool:
        margin = self.ledger.margin(*account, self._seen.time_s if self._seen else 0)
        return margin.equity_scaled * PPM < margin.mm_scaled * self.near_ppm

    def _start(self) -> None:
        self.ledger = Ledger(self.deployment.markets)
        self._seen = None
        self._next = self.deployment.start_block
