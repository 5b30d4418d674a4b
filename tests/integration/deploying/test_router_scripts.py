# SPDX-License-Identifier: AGPL-3.0-only
"""A deployment whose prices come from a router: set up from the parameters, and its sources changed after notice."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deploying.checkout import DELAY, DEPLOYER, LOCAL, Scripts, scripts_at
from tests.support.abi import abi_of
from tests.support.chain import Contract
from tests.support.oracles import BTC_ID, Feed, Pyth, Sources

NOTICE = 14 * 86_400
ROUTER = """
[oracle]
kind = "router"

[oracle.adapters.chainlink]
kind = "chainlink"

[oracle.adapters.pyth]
kind = "pyth"
pyth = "{pyth}"
max_confidence_ppm = 5_000
"""
STRICT = """
[oracle.adapters.strict]
kind = "pyth"
pyth = "{pyth}"
max_confidence_ppm = 1_000
"""
PRICES = """
[markets.prices]
quorum = 2
max_deviation_ppm = 20_000
sources = [
    {{ adapter = "chainlink", feed = "{feed}", max_age = 3_600 }},
    {{ adapter = "{adapter}", feed = "0x{id}", max_age = 600 }},
]
"""


class Market:
    """BTC-USD with a Chainlink feed and Pyth, on the node of the test."""

    def __init__(self, scripts: Scripts):
        world = Sources(scripts.node.rpc, DEPLOYER, DEPLOYER)
        self.feed: Feed = world.chainlink_feed()
        self.pyth: Pyth = world.pyth
        self.scripts = scripts

    def speak(self) -> None:
        """Both sources publish, now."""
        self.feed.answer("23000")
        self.pyth.answer(BTC_ID, "23010")

    def parameters(self, adapter: str = "pyth") -> Path:
        text = (self.scripts.folder / LOCAL).read_text().replace("\ndelay = 10\n", f"\ndelay = {DELAY}\n")
        text = text[: text.index("[[markets]]\nid = 2")]
        oracle = ROUTER.format(pyth=self.pyth.contract.address)
        if adapter == "strict":
            oracle += STRICT.format(pyth=self.pyth.contract.address)
        text = re.sub(r"\[oracle\].*?(?=\[timelock\])", oracle + "\n", text, flags=re.DOTALL)
        text += PRICES.format(feed=self.feed.proxy.address, adapter=adapter, id=BTC_ID.hex())
        path = self.scripts.folder / f"{adapter}.toml"
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with scripts_at(tmp_path_factory.mktemp("checkout"), "router") as scripts:
        yield Market(scripts)


def test_a_router_from_deployment_to_other_sources(market: Market) -> None:
    scripts = market.scripts
    # a feed that has never answered: the deployment says so and leaves no record
    printed = scripts.deploy(market.parameters(), fails=True)
    assert "OracleRouter.set_sources failed: source without a price" in printed
    assert "of no use" in printed
    assert not scripts.record.exists()

    market.speak()
    scripts.deploy(market.parameters())
    router = Contract(scripts.node.rpc, scripts.data["contracts"]["oracle"], abi_of("OracleRouter"))
    assert router.call.price(1)[0] == 2_300_500
    assert router.call.owner() == scripts.data["contracts"]["timelock"]
    assert "verified: " in scripts.run("verify", "--kept")

    upgrade = ("--parameters", str(market.parameters("strict")), "BTC-USD")
    market.speak()
    printed = scripts.run("upgrade_adapter", *upgrade, account=0)
    assert "needs 14 days of notice" in printed
    assert "adapter:pyth" in printed
    strict = scripts.data["contracts"]["adapter:strict"]
    scripts.node.rpc.warp(DELAY)
    scripts.execute_ready()
    scripts.node.rpc.warp(NOTICE)
    market.speak()
    scripts.execute_ready()
    *_, sources, enabled = router.call.sources_of(1)
    assert [source[0] for source in sources] == [
        each.lower() for each in (scripts.data["contracts"]["adapter:chainlink"], strict)
    ]
    assert list(enabled) == [True, True]
    assert "verified: " in scripts.run("verify", "--kept")


def test_a_feed_without_code_is_found_before_anything_is_sent(market: Market) -> None:
    parameters = market.parameters()
    parameters.write_text(parameters.read_text().replace(market.feed.proxy.address, "0x" + "5a" * 20))
    printed = market.scripts.deploy(parameters, "--overwrite", fails=True)
    assert "the feed of BTC-USD: 0x5a5a" in printed
    assert "has no code on chain 31337" in printed
    assert "deploying" not in printed
