# SPDX-License-Identifier: AGPL-3.0-only
"""The liquidation bot: finds accounts below maintenance margin and takes their positions over.

It needs a key, a node and the deployment record, and a subaccount of its own with margin in it, because what it takes
over it then holds. It knows nothing of the relayer.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from keeper.functions import LIQUIDATE, MARGIN_OF, MARGIN_SCALE, MARKET, OPEN_INTEREST, POSITION, PRICE
from keeper.opportunity import Funds, MarketView, Opportunity, appraise, ranked, unscaled
from keeper.outcome import Outcome, Result
from keeper.ports import Call, Chain, ChainError, Clock, Head, Receipt, RefusedError
from keeper.sender import FeePolicy, Sender, UnminedError
from keeper.watch import Account, AccountWatch
from ouro import events
from ouro.codec import unpack_position
from ouro.deployment import Deployment
from ouro.markets import MarketState
from ouro.maths.margin import Margin, scaled_imf
from ouro.units import ceil_div

log = logging.getLogger(__name__)

WEI = 10**18


@dataclass(frozen=True)
class Settings:
    """How the bot behaves. Money in micro-USDC.

    `min_profit` is after gas; gas is valued at the index price of `gas_market`, if the exchange lists it. `rescue`
    takes over accounts beyond bankruptcy, which pays nothing. A refused account is left alone for `retry_after_s`.
    """

    subaccount: int = 0
    min_profit: int = 0
    rescue: bool = True
    gas_market: str = "ETH-USD"
    dry_run: bool = False
    retry_after_s: float = 10.0
    fees: FeePolicy = field(default_factory=FeePolicy)


class Liquidator:
    """One round at a time; whoever owns it decides when."""

    def __init__(
        self,
        chain: Chain,
        clock: Clock,
        deployment: Deployment,
        account: LocalAccount,
        settings: Settings,
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.chain = chain
        self.clock = clock
        self.deployment = deployment
        self.account = account
        self.settings = settings
        self.on_outcome = on_outcome
        self.watch = AccountWatch(chain, deployment)
        self.sender = Sender(chain, account, clock, settings.fees)
        self._rest_until: dict[tuple[Account, int], float] = {}

    def round(self) -> list[Outcome]:
        """Look once at every account and act on what is found. Raises `ChainError`."""
        outcomes = []
        for opportunity in self.find():
            outcome = self._attempt(opportunity)
            key = (opportunity.account, opportunity.market.id)
            if outcome.result is not Result.WON:
                self._rest_until[key] = self.clock.now() + self.settings.retry_after_s
            log.info("%s", outcome.line())
            if self.on_outcome is not None:
                self.on_outcome(outcome)
            outcomes.append(outcome)
        return outcomes

    def find(self) -> list[Opportunity]:
        """What could be taken over as of the newest block, best first."""
        head = self.watch.sync()
        now = self.clock.now()
        self._rest_until = {key: until for key, until in self._rest_until.items() if until > now}
        own = (self.account.address, self.settings.subaccount)
        suspects = [account for account in self.watch.suspects() if account != own]
        unhealthy = {
            account: margin
            for account, margin in self._margins(suspects, head).items()
            if margin.equity_scaled < margin.mm_scaled
        }
        if not unhealthy:
            return []
        markets = self._markets(head)
        funds = Funds(self._margins([own], head)[own], self._positions([own], head).get(own, {}))
        positions = self._positions(unhealthy, head)
        found = []
        for account, scaled in unhealthy.items():
            margin = unscaled(scaled, positions.get(account, {}), markets)
            for market_id, held in positions.get(account, {}).items():
                market = markets.get(market_id)
                if market is None or (account, market_id) in self._rest_until:
                    continue
                opportunity = appraise(account, margin, market, held, funds)
                if opportunity is None:
                    log.warning("%s/%s is below maintenance margin, but the keeper lacks free margin", *account)
                else:
                    found.append(opportunity)
        return ranked(found)

    def _attempt(self, opportunity: Opportunity) -> Outcome:
        call = self._call(opportunity)
        if opportunity.is_rescue and not self.settings.rescue:
            return Outcome(opportunity, Result.SKIPPED, "beyond bankruptcy, which pays nothing")
        try:
            gas = self.chain.simulate(call)
        except RefusedError as refused:
            return Outcome(opportunity, Result.SKIPPED, refused.reason)
        profit = opportunity.gain - self._gas_in_micro(gas)
        if profit < self.settings.min_profit and not opportunity.is_rescue:
            return Outcome(opportunity, Result.SKIPPED, f"expected profit of {profit} micro-USDC is too small")
        if self.settings.dry_run:
            return Outcome(opportunity, Result.SKIPPED, f"dry run, expected profit {profit} micro-USDC")
        before = self.chain.head().number
        try:
            receipt = self.sender.send(call, gas)
        except UnminedError as unmined:
            return Outcome(opportunity, Result.SKIPPED, str(unmined))
        except RefusedError as refused:
            return Outcome(opportunity, Result.SKIPPED, f"the node refused the transaction: {refused.reason}")
        if receipt.succeeded:
            return self._won(opportunity, receipt)
        return self._lost(opportunity, call, receipt, before)

    def _won(self, opportunity: Opportunity, receipt: Receipt) -> Outcome:
        event = next(e for e in map(events.decode_log, receipt.logs) if isinstance(e, events.Liquidated))
        lots = abs(event.size)
        sign = 1 if opportunity.held > 0 else -1
        gain = sign * (opportunity.market.price - event.price) * lots
        cost = receipt.gas_used * receipt.gas_price
        return Outcome(opportunity, Result.WON, "", receipt.transaction_hash, lots, gain, cost)

    def _lost(self, opportunity: Opportunity, call: Call, receipt: Receipt, before: int) -> Outcome:
        """Find out why a transaction failed: did somebody else come first?"""
        cost = receipt.gas_used * receipt.gas_price
        block_hash = self.chain.block_hash(receipt.block_number)
        if block_hash is None:
            raise ChainError(f"block {receipt.block_number} is gone")
        [answer] = self.chain.call_many([call], block_hash)
        reason = answer.reason if isinstance(answer, RefusedError) else "reverted, but would not now"
        rival = self._rival(opportunity, before, receipt.block_number)
        if rival:
            return Outcome(opportunity, Result.OUTCOMPETED, f"by {rival}", receipt.transaction_hash, gas_wei=cost)
        return Outcome(opportunity, Result.REVERTED, reason, receipt.transaction_hash, gas_wei=cost)

    def _rival(self, opportunity: Opportunity, before: int, last: int) -> str:
        """Who liquidated the account after block `before`, if anybody."""
        for raw in self.chain.logs([self.deployment.contracts.exchange], before, last):
            event = events.decode_log(raw)
            if isinstance(event, events.Liquidated) and (event.account, event.subaccount) == opportunity.account:
                return event.liquidator
        return ""

    def _call(self, opportunity: Opportunity) -> Call:
        owner, subaccount = opportunity.account
        data = LIQUIDATE.encode(owner, subaccount, opportunity.market.id, opportunity.lots, self.settings.subaccount)
        return Call(self.deployment.contracts.exchange, data, self.account.address)

    def _gas_in_micro(self, gas: int) -> int:
        """What so much gas costs now, rounded up; 0 if the exchange has no price for the chain's coin."""
        head = self.chain.head()
        market = next((m for m in self.deployment.markets if m.ticker == self.settings.gas_market), None)
        if market is None:
            return 0
        price, _ = self._prices([market.id], head)[market.id]
        wei = gas * (head.base_fee + self.settings.fees.priority_fee)
        return ceil_div(wei * price * 10**market.size_decimals, WEI)

    def _margins(self, accounts: list[Account], head: Head) -> dict[Account, Margin]:
        calls = [Call(self.deployment.contracts.exchange, MARGIN_OF.encode(*account)) for account in accounts]
        margins = {}
        for account, answer in zip(accounts, self._ask(calls, head), strict=True):
            equity, initial, maintenance, _stale = MARGIN_OF.decode(answer)
            margins[account] = Margin(equity, initial, maintenance)
        return margins

    def _positions(
        self, accounts: "list[Account] | dict[Account, Margin]", head: Head
    ) -> dict[Account, dict[int, int]]:
        """Signed lots by account and market id, flat ones left out."""
        wanted = [
            (account, market_id)
            for account in accounts
            if account in self.watch.ledger.accounts
            for market_id in self.watch.markets_of(account)
        ]
        calls = [
            Call(self.deployment.contracts.exchange, POSITION.encode(*account, market_id))
            for account, market_id in wanted
        ]
        found: dict[Account, dict[int, int]] = {}
        for (account, market_id), answer in zip(wanted, self._ask(calls, head), strict=True):
            [word] = POSITION.decode(answer)
            size = unpack_position(word).size
            if size:
                found.setdefault(account, {})[market_id] = size
        return found

    def _markets(self, head: Head) -> dict[int, MarketView]:
        """Markets that go on and whose price is fresh; nobody can be liquidated in the others."""
        ids = [market.id for market in self.deployment.markets]
        exchange = self.deployment.contracts.exchange
        prices = self._prices(ids, head)
        terms, scales, interests = (
            self._ask([Call(exchange, view.encode(id_)) for id_ in ids], head)
            for view in (MARKET, MARGIN_SCALE, OPEN_INTEREST)
        )
        views = {}
        for market_id, answer, scale, interest in zip(ids, terms, scales, interests, strict=True):
            ticker, _, _, _, imf, mmf, _, _, max_age, floor, state = MARKET.decode(answer)
            price, published_at = prices[market_id]
            if price and head.time_s <= published_at + max_age and state != MarketState.SETTLED:
                [lots] = OPEN_INTEREST.decode(interest)
                scale_from, scale_to = MARGIN_SCALE.decode(scale)
                scaled = scaled_imf(imf, scale_from, scale_to, lots * price)
                views[market_id] = MarketView(market_id, ticker, price, scaled, mmf, floor, imf)
        return views

    def _prices(self, market_ids: list[int], head: Head) -> dict[int, tuple[int, int]]:
        """Index price and time of publication by market id."""
        calls = [Call(self.deployment.contracts.oracle, PRICE.encode(market_id)) for market_id in market_ids]
        answers = (PRICE.decode(answer) for answer in self._ask(calls, head))
        return {market_id: (price, at) for market_id, (price, at) in zip(market_ids, answers, strict=True)}

    def _ask(self, calls: list[Call], head: Head) -> list[bytes]:
        """Answers on the state after `head`. Raises `ChainError` if a view reverts, which none of these does."""
        answers = []
        for answer in self.chain.call_many(calls, head.hash):
            if isinstance(answer, RefusedError):
                raise ChainError(f"a view of the exchange reverts: {answer.reason}")
            answers.append(answer)
        return answers
