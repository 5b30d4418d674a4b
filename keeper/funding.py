# SPDX-License-Identifier: AGPL-3.0-only
"""Touches markets that nobody traded in since the hour changed: an hour that nobody opens has no funding."""

import logging

from eth_account.signers.local import LocalAccount

from keeper.functions import MARKET, MARKET_INDICES, POKE
from keeper.ports import Call, Chain, ChainError, Head, RefusedError
from keeper.sender import Sender, UnminedError
from ouro.deployment import Deployment
from ouro.markets import MarketState
from ouro.maths.funding import HOUR_S

log = logging.getLogger(__name__)


class FundingPoker:
    """Pokes each market once in every hour that nobody opened."""

    def __init__(self, chain: Chain, deployment: Deployment, account: LocalAccount, sender: Sender) -> None:
        self.chain = chain
        self.deployment = deployment
        self.account = account
        self.sender = sender

    def due(self) -> list[int]:
        """Ids of the markets whose hour is an earlier one than that of the newest block; a settled one has none."""
        head = self.chain.head()
        ids = [market.id for market in self.deployment.markets]
        calls = [Call(self.deployment.contracts.exchange, MARKET_INDICES.encode(market_id)) for market_id in ids]
        found = []
        for market_id, answer in zip(ids, self.chain.call_many(calls, head.hash), strict=True):
            if isinstance(answer, RefusedError):
                raise ChainError(f"market {market_id} has no indices: {answer.reason}")
            _, _, started_at, _ = MARKET_INDICES.decode(answer)
            if started_at // HOUR_S < head.time_s // HOUR_S and not self._is_settled(market_id, head):
                found.append(market_id)
        return found

    def _is_settled(self, market_id: int, head: Head) -> bool:
        call = Call(self.deployment.contracts.exchange, MARKET.encode(market_id))
        [answer] = self.chain.call_many([call], head.hash)
        if isinstance(answer, RefusedError):
            raise ChainError(f"market {market_id} has no state: {answer.reason}")
        return bool(MARKET.decode(answer)[-1] == MarketState.SETTLED)

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
