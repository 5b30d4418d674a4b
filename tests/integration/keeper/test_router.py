# SPDX-License-Identifier: AGPL-3.0-only
"""The bots on an exchange that the oracle router prices, and those that bring prices to the router's sources."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from eth_utils.crypto import keccak

from keeper.alarms import AlarmBoard
from keeper.feeds import Feeds, Kind
from keeper.functions import MARGIN_OF
from keeper.functions import PRICE as PRICE_OF
from keeper.funding import FundingPoker
from keeper.outcome import Outcome, Result
from keeper.ports import Call, ChainError, RefusedError
from keeper.pusher import OraclePusher, PushSettings, UrlSource
from keeper.pyth import Hermes, PythPusher
from keeper.triggers import TriggerWatcher, WatchedOrder
from keeper.watchdog import Limits, Watchdog
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger
from tests.integration.keeper.conftest import BTC, ETH, LIQUIDATOR, LONG, PRICE, RIVAL, TICKERS, Venue
from tests.integration.keeper.test_bots import signed, told
from tests.support.anvil import DEPLOYER, GUARDIAN
from tests.support.oracles import BTC_ID, ETH_ID, PYTH_FEE, Feed, Sources, change_oracle

NAMES = {BTC: BTC_ID, ETH: ETH_ID}
USD = {BTC: 20_000, ETH: 2_000}
"""What is `PRICE` per lot of each market."""


class HermesServer:
    """What Hermes answers, over HTTP: prices that `set` names, signed by the key of the contract double."""

    def __init__(self, sources: Sources) -> None:
        self.pyth = sources.pyth
        self.prices: dict[bytes, tuple[int, int]] = {}
        self.asked: list[list[str]] = []
        self.answer: bytes | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                assert url.path == "/v2/updates/price/latest"
                query = parse_qs(url.query)
                assert query["encoding"] == ["hex"]
                server.asked.append(query["ids[]"])
                body = server.answer or server.body(query["ids[]"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def set(self, market: int, usd: str | int, published_at: int) -> None:
        self.prices[NAMES[market]] = (int(Decimal(usd) * 10**8), published_at)

    def body(self, ids: list[str]) -> bytes:
        known = [(id_, *self.prices[id_]) for id_ in (bytes.fromhex(each[2:]) for each in ids) if id_ in self.prices]
        blob = self.pyth.blob(*(self.pyth.price(*each) for each in known))
        parsed = [
            {
                "id": id_.hex(),
                "price": {"price": str(price), "conf": "1000", "expo": -8, "publish_time": at},
                "ema_price": {"price": str(price), "conf": "1000", "expo": -8, "publish_time": at},
                "metadata": {"slot": 1, "proof_available_time": at, "prev_publish_time": at - 1},
            }
            for id_, price, at in known
        ]
        return json.dumps({"binary": {"encoding": "hex", "data": [blob.hex()]}, "parsed": parsed}).encode()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@dataclass
class Router:
    """The router, and what speaks to it."""

    venue: Venue
    sources: Sources
    chainlink: dict[int, Feed]

    def say(self, market: int, usd: int | str) -> None:
        """By Chainlink and by Pyth."""
        self.chainlink[market].answer(usd)
        self.sources.pyth.answer(NAMES[market], usd)

    def say_all(self, percent: int) -> None:
        self.venue.node.rpc.warp(1)
        for market, usd in USD.items():
            self.say(market, usd * percent // 100)

    @property
    def now(self) -> int:
        return self.venue.node.rpc.now


@pytest.fixture(scope="module")
def routed(deployed: Venue) -> Router:
    """The exchange of the other tests, gone over to a router of three sources of which two must agree."""
    rpc, system = deployed.node.rpc, deployed.system
    sources = Sources(rpc, DEPLOYER.address, GUARDIAN.address)
    router = Router(deployed, sources, {market: sources.chainlink_feed() for market in USD})
    router.say_all(100)
    deployed.push(PRICE)
    for market, decimals in ((BTC, 4), (ETH, 3)):
        named = [
            sources.of_chainlink(router.chainlink[market]),
            sources.of_pyth(NAMES[market]),
            sources.of_pushed(system.oracle, market),
        ]
        sources.configure(market, named, size_decimals=decimals)
    change_oracle(system, sources.router, rpc.warp)
    return router


@pytest.fixture
def router(routed: Router, venue: Venue) -> Router:
    """With fresh prices, of Chainlink and Pyth; what was pushed is two weeks old."""
    assert routed.venue is venue
    routed.say_all(100)
    return routed


@pytest.fixture
def hermes(router: Router) -> Iterator[HermesServer]:
    server = HermesServer(router.sources)
    yield server
    server.close()


def pusher(router: Router, hermes: HermesServer, **options: Any) -> PythPusher:
    tools = router.venue.tools()
    settings = PushSettings(after_age_ppm=500_000, deviation_ppm=5_000)
    return PythPusher(tools.surveyor, tools.executor, Hermes(hermes.url), settings, **options)


def lots_won(outcomes: list[Outcome]) -> list[int]:
    return [outcome.lots for outcome in outcomes if outcome.result is Result.WON]


def test_accounts_are_surveyed_and_liquidated_at_the_routers_prices(router: Router) -> None:
    keeper = router.venue.keeper()
    survey = keeper.surveyor.survey()
    assert [(view.price, view.is_fresh) for view in survey.markets.values()] == [(PRICE, True)] * 2
    assert survey.liquidatable() == []
    # What the former oracle says counts no more.
    router.venue.push(PRICE // 2)
    assert keeper.surveyor.survey().liquidatable() == []
    router.say_all(96)
    assert keeper.surveyor.survey().markets[BTC].price == PRICE * 96 // 100
    assert keeper.surveyor.survey().liquidatable() == [(LONG.address, 0)]
    assert lots_won(keeper.round())


def test_nobody_is_touched_without_a_price(router: Router) -> None:
    """Two sources that disagree are no price, and one alone is none either."""
    venue = router.venue
    venue.node.rpc.warp(1)
    router.chainlink[BTC].answer(USD[BTC] * 90 // 100)
    keeper = venue.keeper()
    survey = keeper.surveyor.survey()
    assert (survey.markets[BTC].price, survey.markets[BTC].is_open) == (0, False)
    assert keeper.round() == []
    tools = venue.tools()
    funding = FundingPoker(tools.surveyor, tools.executor)
    venue.node.rpc.warp(3_600)
    assert funding.round() == []
    router.say_all(100)
    assert told(funding.round()) == [(Result.WON, "")] * 2


def test_the_watchdog_names_the_source_that_fell_silent(router: Router) -> None:
    tools = router.venue.tools()
    board, limits = AlarmBoard(), Limits(silence_s=None)
    bot = Watchdog(tools.surveyor, tools.clock, board, LIQUIDATOR.address, limits)
    bot.round()
    pushed = router.venue.system.oracle.address
    texts = {alarm.name: alarm.text for alarm in board.on()}
    assert texts.keys() == {f"source {ticker} {pushed}" for ticker in TICKERS.values()}
    assert "of kind pushed is silent" in texts[f"source BTC-USD {pushed}"]
    router.venue.push(PRICE)
    bot.round()
    assert board.on() == []
    router.venue.node.rpc.warp(100)
    bot.round()
    names = {alarm.name for alarm in board.on()}
    assert {f"price {ticker}" for ticker in TICKERS.values()} <= names
    assert f"source ETH-USD {router.sources.pyth_adapter.address}" in names


def test_a_trigger_is_watched_at_the_routers_price(router: Router, tmp_path: Path) -> None:
    tools, now = router.venue.tools(), router.now
    order = Order(
        market="BTC-USD",
        side=Side.SELL,
        size=100,
        limit_price=1_000_000,
        time_in_force=TimeInForce.GTT,
        post_only=False,
        reduce_only=False,
        trigger=Trigger.AT_OR_BELOW,
        trigger_price=PRICE * 98 // 100,
        max_fee_ppm=500,
        expiry=now + 7_200,
        account=LONG.address,
        subaccount=0,
        self_trade=SelfTrade.CANCEL_TAKER,
        slot=99,
        generation=now * 1000,
        revision=0,
        referrer=0,
    )
    bot = TriggerWatcher(tools.surveyor, router.venue.deployment, AlarmBoard(), tmp_path / "none", patience_s=1)
    watched = [WatchedOrder("0x01", order, LONG.address)]
    assert bot.waiting(tools.surveyor.survey(), watched) == []
    router.say_all(97)
    assert bot.waiting(tools.surveyor.survey(), watched) == []
    router.say_all(97)
    assert [each.id for each, _ in bot.waiting(tools.surveyor.survey(), watched)] == ["0x01"]


def test_the_feeds_of_the_router_are_told_apart(router: Router) -> None:
    tools = router.venue.tools()
    found = Feeds(tools.chain, tools.surveyor.exchange).read(tools.surveyor.survey())
    assert [(feed.market, feed.kind) for feed in found] == [
        (market, kind) for market in (BTC, ETH) for kind in (Kind.OTHER, Kind.PYTH, Kind.PUSHED)
    ]
    assert {feed.account for feed in found if feed.kind is Kind.PYTH} == {router.sources.pyth.contract.address}


def test_pyths_prices_are_brought_and_paid_when_they_moved_or_grow_old(router: Router, hermes: HermesServer) -> None:
    bot, call = pusher(router, hermes), router.sources.router.call
    now = router.now
    hermes.set(BTC, "20010", now + 1)
    hermes.set(ETH, "2000", now + 1)
    assert bot.round() == [], "a twentieth of a percent, and fresh"
    held = router.venue.node.rpc.request("eth_getBalance", router.sources.pyth.contract.address, "latest")

    hermes.set(BTC, "20150", now + 1)
    [outcome] = bot.round()
    assert told([outcome]) == [(Result.WON, "")]
    assert outcome.attempt.subject == f"BTC-USD for a fee of {PYTH_FEE} wei"
    assert [len(asked) for asked in hermes.asked] == [2, 2, 1], "only what is due is fetched to be paid for"
    assert call.readings(BTC)[1] == (2_015_000, now + 1)
    paid = router.venue.node.rpc.request("eth_getBalance", router.sources.pyth.contract.address, "latest")
    assert int(paid, 16) - int(held, 16) == PYTH_FEE

    assert bot.round() == [], "nothing newer"
    router.venue.node.rpc.warp(31)
    hermes.set(BTC, "20150", now + 30)
    hermes.set(ETH, "2000", now + 30)
    [outcome] = bot.round()
    assert outcome.attempt.subject == f"BTC-USD, ETH-USD for a fee of {2 * PYTH_FEE} wei"
    assert call.readings(ETH)[1] == (PRICE, now + 30)
    hermes.set(BTC, "30000", now + 10_000)
    assert bot.round() == [], "ahead of the chain"


def test_an_update_that_costs_too_much_or_is_forged_is_not_sent(router: Router, hermes: HermesServer) -> None:
    hermes.set(BTC, "21000", router.now + 1)
    [outcome] = pusher(router, hermes, max_fee_wei=PYTH_FEE - 1).round()
    assert (outcome.result, outcome.reason) == (Result.SKIPPED, "more than the 2 wei that an update may cost")
    body = json.loads(hermes.body(["0x" + BTC_ID.hex()]))
    body["binary"]["data"] = [router.sources.pyth.blob(router.sources.pyth.price(BTC_ID, 1, 1), key=RIVAL).hex()]
    hermes.answer = json.dumps(body).encode()
    [outcome] = pusher(router, hermes).round()
    assert outcome.result is Result.SKIPPED
    assert outcome.reason.startswith("Pyth refuses the update: ")


def test_who_comes_second_with_an_update_is_told_so(router: Router, hermes: HermesServer) -> None:
    """The rival's transaction lands between simulation and block."""
    rpc, sources = router.venue.node.rpc, router.sources
    hermes.set(BTC, "21000", router.now + 1)
    bot = pusher(router, hermes)
    send = bot.executor.sender.send_all

    def late(calls: Any) -> Any:
        sources.pyth.answer(BTC_ID, "21000", rpc.now + 5)
        return send(calls)

    bot.executor.sender.send_all = late  # type: ignore[method-assign]
    [outcome] = bot.round()
    assert (outcome.result, outcome.reason) == (Result.OUTCOMPETED, "nothing was left to do")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"no json", "gives no prices"),
        (b"{}", "answers what is no price update"),
        (b'{"binary": {"encoding": "base64", "data": []}, "parsed": []}', "encoded as 'base64', not hex"),
        (b'{"binary": {"encoding": "hex", "data": []}, "parsed": []}', "updates of no bytes"),
        (b'{"binary": {"encoding": "hex", "data": ["%s"]}, "parsed": []}' % (b"00" * 9_000), "updates of 9000 bytes"),
    ],
)
def test_a_server_that_says_nonsense_is_named(
    router: Router, hermes: HermesServer, answer: bytes, sentence: str
) -> None:
    hermes.answer = answer
    with pytest.raises(ChainError, match=sentence):
        pusher(router, hermes).round()


def test_signed_prices_go_to_the_pushed_source_of_the_router(router: Router, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    now = router.now
    path.write_text(json.dumps([signed(router.venue, PRICE, now)]))
    tools = router.venue.tools()
    bot = OraclePusher(tools.surveyor, tools.executor, UrlSource(str(path)), PushSettings())
    assert told(bot.round()) == [(Result.WON, "")]
    assert router.sources.router.call.readings(BTC)[2] == (PRICE, now)
    assert bot.round() == []


def test_reads_that_are_too_much_for_one_call_are_split(router: Router) -> None:
    """What a node's `eth_call` may burn does not carry all of them."""
    rpc = router.venue.node.rpc
    rpc.request("evm_setBlockGasLimit", hex(2_000_000))
    rpc.request("evm_mine")
    chain = router.venue.chain()
    head = chain.head()
    oracle = router.sources.router.address
    calls = [Call(oracle, PRICE_OF.encode(market)) for market in (BTC, ETH)] * 600
    calls += [Call(router.venue.system.exchange.address, MARGIN_OF.encode(LONG.address, 0))] * 600
    answers = chain.call_many(calls, head.hash)
    assert chain.calls_at_once < 250
    assert len(answers) == len(calls)
    assert not any(isinstance(answer, RefusedError) for answer in answers)
    assert {PRICE_OF.decode(answer)[0] for answer in answers[:1200]} == {PRICE}
    assert len(set(answers[1200:])) == 1
    # One that really fails is still told as such.
    nothing = Call(oracle, keccak(text="nothing()")[:4])
    assert isinstance(chain.call_many([calls[0], nothing], head.hash)[1], RefusedError)
    assert chain.multicalls
    rpc.request("evm_setBlockGasLimit", hex(30_000_000))
