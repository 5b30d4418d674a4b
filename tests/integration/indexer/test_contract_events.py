# SPDX-License-Identifier: AGPL-3.0-only
"""Contracts that the exchange names after its deployment are followed from then on, and no longer after a reorg."""

from __future__ import annotations

import json

import pytest

from indexer.views.block import StartBlockError
from tests.integration.indexer.index import Index
from tests.integration.indexer.venue import KEYS, MAKER, TAKER, USDC, venue
from tests.support.chain import deploy
from tests.support.databases import Databases


def test_a_backstop_named_later(databases: Databases) -> None:
    with venue() as chain:
        url = databases.new()
        index = Index(chain.rpc.url, chain.record(), url)
        index.sync()
        snapshot = chain.rpc.request("evm_snapshot")
        head = index.follower.position.number
        backstop = chain.system.add_backstop()
        chain.system.usdc.send(MAKER.address).mint(MAKER.address, 5 * USDC)
        chain.system.usdc.send(MAKER.address).approve(backstop.address, 5 * USDC)
        backstop.send(MAKER.address).deposit(5 * USDC, MAKER.address)
        index.sync()
        kept = [row for row in index.tables()["contract_events"] if row["block_number"] > head]
        assert [row["name"] for row in kept] == ["BackstopSet", "Transfer", "Deposit"]
        assert json.loads(kept[-1]["arguments"])["assets"] == str(5 * USDC)
        assert {row["address"] for row in kept[1:]} == {backstop.address}

        # Another index finds the same by ranges of blocks.
        chain.rpc.request("anvil_mine", hex(200))
        index.sync()
        fresh_url = databases.new()
        fresh = Index(chain.rpc.url, chain.record(), fresh_url)
        fresh.sync()
        assert fresh.tables() == index.tables()
        fresh.close()
        index.close()

        again = Index(chain.rpc.url, chain.record(), databases.new())
        chain.rpc.request("evm_revert", snapshot)
        again.sync()
        chain.system.add_backstop()
        again.sync()
        assert again.tables()["contract_events"][-1]["name"] == "BackstopSet"
        other = again.tables()["contract_events"][-1]
        snapshot = chain.rpc.request("evm_snapshot")
        chain.push({})
        again.sync()
        chain.rpc.request("evm_revert", snapshot)
        again.sync()
        assert again.tables()["contract_events"][-1] == other
        again.close()


def test_only_the_named_oracle_says_prices(databases: Databases) -> None:
    with venue() as chain:
        index = Index(chain.rpc.url, chain.record(), databases.new())
        rule = chain.exchange.send(KEYS.governance.address)
        oracle = deploy(chain.rpc, KEYS.governance.address, "PushedOracle", KEYS.price_signer.address)
        rule.announce(chain.exchange.data("set_oracle", oracle.address))
        chain.rpc.warp(15 * 86_400)
        rule.set_oracle(oracle.address)
        before = chain.prices[1]
        chain.push({1: before + 1_000})
        index.sync()
        tables = index.tables()
        assert tables["oracle_prices"][-1]["price"] in (before + 1_000, chain.prices[2])
        assert [row["index_price"] for row in tables["market_states"]] == [before, chain.prices[2]]
        index.close()


def test_a_start_block_after_the_deployment_is_refused(database_url: str) -> None:
    """What came before cannot be known: the tables would be wrong without a word."""
    with venue() as chain:
        head = chain.block
        chain.trade(TAKER, MAKER, 5)
        index = Index(chain.rpc.url, chain.record() | {"startBlock": head + 1}, database_url)
        with pytest.raises(StartBlockError, match="Set startBlock in the deployment record"):
            index.sync()
        index.close()
