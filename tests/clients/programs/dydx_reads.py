# SPDX-License-Identifier: AGPL-3.0-only
"""Every read method of `dydx-v4-client`'s `IndexerClient`."""

import asyncio

from dydx_v4_client.indexer.rest.indexer_client import IndexerClient

from tests.clients.programs.report import SCENE, tell_awaited


async def main() -> None:
    client = IndexerClient(SCENE["url"])
    me, other, ticker = SCENE["taker"], SCENE["maker"], SCENE["ticker"]
    account, markets, utility = client.account, client.markets, client.utility
    calls = {
        "markets.get_perpetual_markets": markets.get_perpetual_markets(),
        "markets.get_perpetual_market_orderbook": markets.get_perpetual_market_orderbook(ticker),
        "markets.get_perpetual_market_trades": markets.get_perpetual_market_trades(ticker),
        "markets.get_perpetual_market_candles": markets.get_perpetual_market_candles(
            ticker, "1MIN", from_iso="2020-01-01T00:00:00.000Z", to_iso="2100-01-01T00:00:00+00:00", limit=500
        ),
        "markets.get_perpetual_market_historical_funding": markets.get_perpetual_market_historical_funding(ticker),
        "markets.get_perpetual_market_sparklines": markets.get_perpetual_market_sparklines(),
        "account.get_subaccounts": account.get_subaccounts(me),
        "account.get_subaccount": account.get_subaccount(me, 0),
        "account.get_parent_subaccount": account.get_parent_subaccount(me, 0),
        "account.get_subaccount_perpetual_positions": account.get_subaccount_perpetual_positions(other, 0),
        "account.get_parent_subaccount_positions": account.get_parent_subaccount_positions(other, 0),
        "account.get_subaccount_asset_positions": account.get_subaccount_asset_positions(me, 0),
        "account.get_parent_subaccount_asset_positions": account.get_parent_subaccount_asset_positions(me, 0),
        "account.get_subaccount_transfers": account.get_subaccount_transfers(me, 0),
        "account.get_parent_transfers": account.get_parent_transfers(me, 0),
        "account.get_transfer_between": account.get_transfer_between(me, 0, other, 0),
        "account.get_subaccount_orders": account.get_subaccount_orders(other, 0, ticker, return_latest_orders=True),
        "account.list_parent_orders": account.list_parent_orders(other, 0),
        "account.get_order": account.get_order(SCENE["resting"]),
        "account.get_subaccount_fills": account.get_subaccount_fills(me, 0, ticker=ticker),
        "account.get_parent_fills": account.get_parent_fills(me, 0, market=ticker),
        "account.get_subaccount_historical_pnls": account.get_subaccount_historical_pnls(
            me, 0, effective_before_or_at="2100-01-01T00:00:00+00:00", effective_at_or_after="2020-01-01T00:00:00Z"
        ),
        "account.get_parent_historical_pnls": account.get_parent_historical_pnls(me, 0),
        "account.get_funding_payments": account.get_funding_payments(me, 0),
        "account.get_funding_payments_for_parent_subaccount": account.get_funding_payments_for_parent_subaccount(me, 0),
        "account.get_historical_block_trading_rewards": account.get_historical_block_trading_rewards(me, 10),
        "account.get_historical_trading_rewards_aggregated": account.get_historical_trading_rewards_aggregated(me),
        "account.search_traders": account.search_traders(me),
        "utility.get_time": utility.get_time(),
        "utility.get_height": utility.get_height(),
        "utility.screen": utility.screen(me),
        "utility.compliance_screen": utility.compliance_screen(me),
        "affiliate.get_metadata": client.affiliate.get_metadata(me),
        "affiliate.get_address": client.affiliate.get_address("nobody"),
        "affiliate.get_snapshot": client.affiliate.get_snapshot(),
        "affiliate.get_total_volume": client.affiliate.get_total_volume(me),
        "megavault.get_megavault_historical_pnl": client.megavault.get_megavault_historical_pnl("day"),
        "megavault.get_vaults_historical_pnl": client.megavault.get_vaults_historical_pnl("day"),
        "megavault.get_megavault_positions": client.megavault.get_megavault_positions(),
    }
    for method, call in calls.items():
        await tell_awaited(method, call)


if __name__ == "__main__":
    asyncio.run(main())
