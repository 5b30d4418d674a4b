# SPDX-License-Identifier: AGPL-3.0-only
"""Touches markets that nobody traded in since the hour changed, so that funding accrues at the right rate."""

import logging

from eth_account.signers.local import LocalAccount

from keeper.functions import MARKET_INDICES, POKE
from keeper.ports import Call, Chain, ChainError, RefusedError
from keeper.sender import Sender, UnminedError
from ouro.deployment import Deployment

log = logging.getLogger(__name__)

HOUR_S = 3_600


class FundingPoker:
    """Pokes each market once per hour that has passed over it."""

    def __init__(self, chain: Chain, deployment: Deployment, account: LocalAccount, sender: Sender) -> None:
        self.chain = chain
        self.deployment = deployment
        self.account = account
        self.sender = sender

    def due(self) -> list[int]:
        """Ids of the markets whose last touch was in an earlier hour than the newest block."""
        head = self.chain.head()
        ids = [market.id for market in self.deployment.markets]
        calls = [Call(self.deployment.contracts.exchange, MARKET_INDICES.encode(market_id)) for market_id in ids]
        found = []
        for market_id, answer in zip(ids, self.chain.call_many(calls, head.hash), strict=True):
            if isinstance(answer, RefusedError):
                raise ChainError(f"market {market_id} has no indices: {answer.reason}")
            _, _, last, _ = MARKET_INDICES.decode(answer)
            if last // HOUR_S < head.time_s // HOUR_S:
                found.append(market_id)
        return found

    def round(self, *, dry_run: bool = False) -> list[int]:
        """Poke what is due; the ids of the markets that were poked. A market whose price is stale has to wait."""
        poked = []
        for market_id in self.due():
            call = Call(self.deployment.contracts.exchange, POKE.encode(market_id), self.account.address)
            try:
                gas = self.chain.simulate(call)
                if dry_run:
                    continue
                receipt = self.sender.send(call, gas)
            except (RefusedError, UnminedError) as error:
                log.info("market %d not poked: %s", market_id, error)
                continue
            if receipt.succeeded:
                poked.append(market_id)
                log.info("poked market %d in block %d", market_id, receipt.block_number)
        return poked
