# SPDX-License-Identifier: AGPL-3.0-only
"""What the demo plays, part by part, and what must come of each. Raises `DemoError` where it does not."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from keeper.funding import FundingPoker
from keeper.liquidator import Liquidator, Settings
from keeper.outcome import Outcome, Result
from keeper.ports import SystemClock
from keeper.rpc_chain import RpcChain
from keeper.tools import Tools
from ouro.client import ClientError, OuroClient
from ouro.maths.funding import HOUR_S
from stack.demo.actors import LIFETIME_S, Actor, BrowserActor, Part
from stack.demo.oracle import AFTER_THE_DIP, MORNING
from stack.demo.raw import RawChain
from stack.demo.story import DemoError, Story
from stack.demo.venue import Venue
from stack.wallets import Role, wallet

BTC, ETH = "BTC-USD", "ETH-USD"
DEPOSITS = {
    Part.MAKER: 200_000,
    Part.SECOND_MAKER: 100_000,
    Part.TRADER: 50_000,
    Part.BROWSER_TRADER: 20_000,
    Part.GAMBLER: 2_000,
    Part.THIN_MAKER: 1_045,
}
KEEPER_USDC = 50_000
GAMBLE_USDC = 30_000
THIN_USDC = 20_000
QUIET_BEFORE_THE_HOUR_S = 900
BASIS_POINT = 100
MICRO = 10**6


class Scenario:
    """The parts in their order."""

    def __init__(self, venue: Venue, story: Story) -> None:
        self.venue = venue
        self.story = story
        self.acknowledged: list[str] = []
        url = venue.plan.base_url
        self.receipts = venue.plan.state.path / "receipts.jsonl"
        self.actors = {part: Actor(part, url, self.acknowledged, self.receipts) for part in Part}
        self.maker = self.actors[Part.MAKER]
        self.second_maker = self.actors[Part.SECOND_MAKER]
        self.trader = self.actors[Part.TRADER]
        self.gambler = self.actors[Part.GAMBLER]
        self.thin_maker = self.actors[Part.THIN_MAKER]
        browser_address = self.actors[Part.BROWSER_TRADER].account.address
        self.browser = BrowserActor(browser_address, url, venue.node, self.acknowledged)
        account = wallet(Role.KEEPER)
        self.keeper_client = OuroClient(url, account, config=self.maker.config)
        self.node = RpcChain(venue.node.url)
        tools = Tools.of(self.node, SystemClock(), venue.deployment, account)
        self.keeper = Liquidator(tools.surveyor, tools.executor, tools.clock, Settings())
        self.poker = FundingPoker(tools.surveyor, tools.executor)

    def play(self) -> None:
        """Everything."""
        for part in (
            self.deposits,
            self.trades,
            self.refusals,
            self.bad_fill,
            self.crash_of_the_relayer,
            self.instant_withdrawal,
            self.price_crash,
            self.funding,
            self.closing,
            self.delayed_withdrawal,
            self.landed_batch_again,
        ):
            part()

    def close(self) -> None:
        """Let go of the connections."""
        self.node.close()
        self.keeper_client.close()
        for actor in self.actors.values():
            actor.client.close()

    # The parts

    def deposits(self) -> None:
        self.story.chapter("Deposits")
        left = HOUR_S - self.venue.now() % HOUR_S
        if left < QUIET_BEFORE_THE_HOUR_S:
            # The hour's funding is decided by the hour's trades: they must not fall into two hours.
            self.venue.warp(left + 1)
        self.venue.push(self.venue.oracle.at(MORNING))
        with ThreadPoolExecutor(len(self.actors) + 1) as pool:
            jobs = [pool.submit(self.actors[part].deposit, usdc) for part, usdc in DEPOSITS.items()]
            jobs.append(pool.submit(self._fund_keeper))
            for job in jobs:
                job.result()
        self.venue.caught_up()
        for part, usdc in DEPOSITS.items():
            shown = self.actors[part].equity()
            self._must(shown == usdc, f"{part.name} has {usdc} USDC at the front door, not {shown}")
        self.story.note(f"{len(DEPOSITS)} traders and a keeper deposited {sum(DEPOSITS.values()) + KEEPER_USDC:,} USDC")

    def trades(self) -> None:
        self.story.chapter("Trading")
        btc, eth = self._index(BTC), self._index(ETH)
        for level in (20, 30):
            self.maker.place(BTC, "SELL", 15_000, btc + btc * level // 10_000, post_only=True)
            self.second_maker.place(ETH, "SELL", 20_000, eth + eth * level // 10_000, post_only=True)
        self.maker.place(BTC, "BUY", 5_000, btc - btc * 50 // 10_000, post_only=True)
        self.story.note("two makers quote BTC-USD and ETH-USD, orders signed by eth-account")
        worst_btc, worst_eth = btc + btc // 100, eth + eth // 100
        self.trader.place(BTC, "BUY", 6_000, worst_btc, "IOC")
        self.trader.place(ETH, "BUY", 8_000, worst_eth, "IOC")
        self.browser.place(BTC, "BUY", 1_000, self.maker.market(BTC).floor_to_tick(worst_btc))
        self.browser.place(ETH, "BUY", 2_000, self.maker.market(ETH).floor_to_tick(worst_eth))
        self.story.note("a trader and a browser wallet (eth_signTypedData_v4) buy both")
        lots = GAMBLE_USDC * MICRO // btc
        self.gambler.place(BTC, "BUY", lots, worst_btc, "IOC")
        self.story.note(f"a gambler buys BTC for {GAMBLE_USDC:,} USDC with {DEPOSITS[Part.GAMBLER]:,} of margin")
        self.venue.settled()
        settled = [fill for fill in self.venue.fills() if fill["status"] in ("confirmed", "final")]
        batches = {fill["transactionHash"] for fill in settled}
        self._must(len(settled) >= 5, "five fills are settled")
        self.story.note(f"{len(settled)} fills settled in {len(batches)} batches")

    def refusals(self) -> None:
        self.story.chapter("Refused at the door")
        price = self.maker.market(BTC).floor_to_tick(self._index(BTC))
        typed = self.browser.typed_data(BTC, "BUY", 10, price)
        signature = self.browser.sign(typed)
        bad: dict[str, dict[str, Any]] = {
            "wrong signature": {"size": 11},
            "unknown market": {"market": "DOGE-USD"},
            "off-tick price": {"limitPrice": price + 1},
            "size 0": {"size": 0},
            "expired": {"expiry": typed["message"]["generation"] // 1_000 - LIFETIME_S},
            "too little margin": {"size": 400_000, "timeInForce": "GTT", "slot": 1},
        }
        for what, change in bad.items():
            message = {**typed["message"], **change}
            own = signature if what == "wrong signature" else self.browser.sign({**typed, "message": message})
            answer = self.browser.post(message, own)
            self._must(400 <= answer.status_code < 500, f"{what} gets a 4xx, not {answer.status_code}: {answer.text}")
            self.story.note(f"{what}: {answer.status_code}, {answer.json()['errors'][0]['msg'][:110]}")
        malformed = httpx.post(f"{self.venue.plan.base_url}/v4/orders", content=b'{"order": ', timeout=10)
        self._must(400 <= malformed.status_code < 500, f"malformed JSON gets a 4xx, not {malformed.status_code}")
        self.story.note(f"malformed JSON: {malformed.status_code}, {malformed.json()['errors'][0]['msg'][:110]}")

    def bad_fill(self) -> None:
        """The price moves between match and block: one maker's margin no longer carries its fill."""
        self.story.chapter("A bad fill")
        index = self._index(BTC)
        best = index - index * 10 * BASIS_POINT // MICRO
        tick = self.maker.market(BTC).tick
        lots = THIN_USDC * MICRO // index
        self.maker.place(BTC, "BUY", 1_000, best, post_only=True)
        guilty = self.thin_maker.place(BTC, "BUY", lots, best - tick, post_only=True)
        self.second_maker.place(BTC, "BUY", 1_000, best - 2 * tick, post_only=True)
        known = {fill["fillId"] for fill in self.venue.fills()}
        with self.venue.standstill():
            self.venue.oracle.send(self.venue.oracle.at(AFTER_THE_DIP))
            self.trader.place(BTC, "SELL", lots + 2_000, best - 10 * tick, "IOC")
            self._until_sent()
            self.venue.mine(2)
        self.venue.settled()
        fills = [fill for fill in self.venue.fills() if fill["fillId"] not in known]
        rejected = [fill for fill in fills if fill["status"] == "rejected"]
        self._must(len(fills) == 3 and len(rejected) == 1, f"one of three fills is rejected: {fills}")
        [event] = [event for event in self._events() if event.name == "FillRejected"]
        self._must(event.args["order_id"] == guilty.lower(), f"the event names order {guilty}: {event}")
        self._must(rejected[0]["makerOrderId"].lower() == guilty.lower(), "the relayer undoes the same fill")
        self.story.note(
            f"index fell {self._fall(index)} before the block: of 3 fills in a batch 2 settled, 1 was rejected "
            f"for '{event.args['reason']}'"
        )
        self.story.note(f"the event names order {guilty[:10]}… of the thin maker; the relayer undid that fill alone")

    def crash_of_the_relayer(self) -> None:
        self.story.chapter("Relayer killed")
        index = self._index(BTC)
        offer = index + 10 * self.maker.market(BTC).tick
        gone = sum(len(maker.client.orders.cancel_all(BTC).cancelled) for maker in (self.maker, self.second_maker))
        self.story.note(f"first the makers take {gone} orders back, which the new index has overtaken")
        with self.venue.standstill():
            self.maker.place(BTC, "SELL", 3_000, offer, post_only=True)
            self.trader.place(BTC, "BUY", 500, offer + 5_000, "IOC")
            self._until_sent()
            resting = self.second_maker.place(BTC, "BUY", 700, index - index // 100, post_only=True)
            late = self.trader.place(BTC, "BUY", 400, offer + 5_000, "IOC")
            pid = self.venue.kill_relayer()
            self.story.note(f"SIGKILL to process {pid}: a batch in the mempool, and a match a moment old")
            lost = self.trader.sign(BTC, "BUY", 300, offer, "IOC")
            self.venue.mine(2)
            try:
                self.trader.submit(lost)
            except ClientError as error:
                self.story.note(f"an order meanwhile is not acknowledged: {error}")
            else:
                raise DemoError("an order was acknowledged by a dead relayer")
        self.venue.until(self.venue.relayer_ready, "the relayer is back", 60)
        self.venue.settled()
        for order_id in self.acknowledged:
            self._order(order_id)
        self._must(self._order(resting)["status"] == "OPEN", "the resting order is still in the book")
        fills = [fill for fill in self.venue.fills() if fill["takerOrderId"].lower() == late.lower()]
        self._must(
            sum(fill["size"] for fill in fills) == 400 and {fill["status"] for fill in fills} <= {"confirmed", "final"},
            f"the match of a moment before settles, once: {fills}",
        )
        self.story.note(f"restarted: all {len(self.acknowledged)} acknowledged orders are there, the rest settled")

    def instant_withdrawal(self) -> None:
        self.story.chapter("Instant withdrawal")
        before = self.trader.client.chain.wallet_usdc()
        ahead = max(0, self.venue.now() - int(time.time()))
        self.trader.client.chain.withdraw("1000", expires_in_seconds=ahead + 600)
        self._must(self.trader.client.chain.wallet_usdc() == before + 1_000, "1,000 USDC are in the wallet")
        self.story.note("1,000 USDC paid at once, with the operator's co-signature")

    def price_crash(self) -> None:
        self.story.chapter("Crash")
        start = self._index(BTC)
        won: list[Outcome] = []
        for when, prices in self.venue.oracle.crash():
            self.venue.push(prices)
            for outcome in self.keeper.round():
                self._must(outcome.result is Result.WON, f"the keeper wins: {outcome.line()}")
                won.append(outcome)
                self.story.note(
                    f"{when}, BTC at {prices[BTC] / 100:,.0f}: the keeper takes {outcome.lots / 10_000:.4f} BTC over "
                    f"from the gambler, gains {outcome.gain / MICRO:,.2f} USDC"
                )
        self._must(bool(won), "somebody is liquidated")
        self._must(self.keeper.round() == [], "nobody is left below maintenance margin")
        self.story.note(
            f"{self._fall(start)} down in all: {len(won)} take-overs, nobody is below maintenance margin now"
        )

    def funding(self) -> None:
        self.story.chapter("Funding")
        exchange = self.venue.deployment.contracts.exchange
        market = self.venue.deployment.market(BTC)
        for _ in range(2):
            self.venue.warp(HOUR_S - self.venue.now() % HOUR_S + 1)
            self.venue.push(self.venue.oracle.prices)
            before = self._raw().call(exchange, "market_indices(uint256)", ["int256"] * 4, market.id)
            poked = [outcome.attempt.subject for outcome in self.poker.round() if outcome.result is Result.WON]
            self._must(poked == [m.ticker for m in self.venue.deployment.markets], f"every market is poked: {poked}")
            after = self._raw().call(exchange, "market_indices(uint256)", ["int256"] * 4, market.id)
            if after[0] != before[0]:
                paid = (after[0] - before[0]) * self._raw().number(exchange, "open_interest(uint256)", market.id)
                self.story.note(f"an hour on: longs of {BTC} pay shorts {paid / 2**32 / MICRO:,.6f} USDC")
        rates = {e.args["rate"] for e in self._events() if e.name == "FundingAccrued" and e.args["market"] == market.id}
        self._must(any(rates), "the hour's premium makes a funding rate")
        self.story.note(f"rate from the settled premium: {max(rates) / 10**6:.4f}% an hour")

    def closing(self) -> None:
        self.story.chapter("Closing")
        index = self._index(BTC)
        self.maker.place(BTC, "BUY", 20_000, index, post_only=True)
        held = self._lots(self.trader.account.address, BTC)
        self.trader.place(BTC, "SELL", held, index - index // 200, "IOC")
        self.venue.settled()
        self._must(self._lots(self.trader.account.address, BTC) == 0, "the trader is flat in BTC")
        self.story.note(f"the trader sells {held / 10_000:.4f} BTC and is flat; its equity is {self.trader.equity()}")

    def delayed_withdrawal(self) -> None:
        self.story.chapter("Delayed withdrawal")
        before = self.trader.client.chain.wallet_usdc()
        request = self.trader.client.chain.request_withdrawal("2500")
        self.venue.warp(self.venue.deployment.withdrawal_delay + 1)
        self.venue.push(self.venue.oracle.prices)
        self.keeper_client.chain.execute_withdrawal(request.id)
        self._must(self.trader.client.chain.wallet_usdc() == before + 2_500, "2,500 USDC are in the wallet")
        self.story.note("2,500 USDC paid after the delay; anybody may execute it, here the keeper did")

    def landed_batch_again(self) -> None:
        """The very calldata of a settled batch, once more from the operator."""
        self.story.chapter("A batch again")
        last = next(event for event in reversed(self._events()) if event.name == "BatchSettled")
        transaction = self.venue.node.call("eth_getTransactionByHash", last.transaction)
        call = {"from": transaction["from"], "to": transaction["to"], "data": transaction["input"]}
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        answer = httpx.post(self.venue.node.url, json=body, timeout=10).json()
        self._must("journal head moved" in str(answer.get("error", "")), f"a landed batch reverts: {answer}")
        self.story.note("a landed batch sent again reverts: 'journal head moved'")

    # Looking

    def _fund_keeper(self) -> None:
        self.keeper_client.chain.faucet(KEEPER_USDC)
        self.keeper_client.chain.deposit(KEEPER_USDC)

    def _until_sent(self) -> None:
        """Until a settlement waits for a block."""
        operator = self.venue.deployment.operator.lower()

        def waiting() -> bool:
            pool = self.venue.node.call("txpool_content")
            return operator in {sender.lower() for sender in pool["pending"]}

        self.venue.until(waiting, "the relayer sends a batch")

    def _index(self, ticker: str) -> int:
        return self.venue.oracle.prices[ticker]

    def _fall(self, start: int) -> str:
        return f"{(start - self._index(BTC)) * 100 / start:.2f}%"

    def _lots(self, owner: str, ticker: str) -> int:
        market = self.venue.deployment.market(ticker).id
        exchange = self.venue.deployment.contracts.exchange
        word = self._raw().number(exchange, "position(address,uint256,uint256)", owner, 0, market)
        size = word >> 192
        return size - (1 << 64) if size >> 63 else size

    def _order(self, order_id: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.venue.plan.relayer_url}/v4/orders/{order_id}", timeout=10)
        self._must(answer.status_code == httpx.codes.OK, f"the relayer knows order {order_id}: {answer.text}")
        order: dict[str, Any] = answer.json()
        return order

    def _raw(self) -> RawChain:
        return RawChain(self.venue.node.call, int(self.venue.node.call("eth_blockNumber"), 16))

    def _events(self) -> Any:
        exchange = self.venue.deployment.contracts.exchange
        return self._raw().events([exchange], self.venue.deployment.start_block)

    def _must(self, condition: bool, what: str) -> None:
        if not condition:
            raise DemoError(f"this did not come true: {what}")
