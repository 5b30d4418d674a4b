# SPDX-License-Identifier: AGPL-3.0-only
"""What bots share: one view of the exchange, and one hand that sends."""

from collections.abc import Callable
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from keeper.executor import Executor
from keeper.outcome import Outcome
from keeper.ports import Chain, Clock, Oracle
from keeper.sender import FeePolicy, Sender
from keeper.survey import Surveyor
from ouro.deployment import Deployment


@dataclass(frozen=True)
class Tools:
    """Of one key on one exchange."""

    chain: Chain
    clock: Clock
    surveyor: Surveyor
    executor: Executor

    @classmethod
    def of(
        cls,
        chain: Chain,
        clock: Clock,
        deployment: Deployment,
        account: LocalAccount,
        *,
        fees: FeePolicy | None = None,
        oracle: Oracle | None = None,
        dry_run: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
        blocks_per_request: int = 5_000,
    ) -> "Tools":
        """Everything from a chain, a clock and a key; `oracle` is the exchange's own unless one is given."""
        sender = Sender(chain, account, clock, fees or FeePolicy())
        executor = Executor(chain, sender, dry_run=dry_run, on_outcome=on_outcome)
        surveyor = Surveyor(chain, deployment, oracle, blocks_per_request=blocks_per_request)
        return cls(chain, clock, surveyor, executor)
