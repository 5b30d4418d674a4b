# SPDX-License-Identifier: AGPL-3.0-only
"""Every read method that `ccxt.dydx` says it has, and reads that only its implicit methods reach."""

from functools import partial

import ccxt

from tests.clients.programs.report import SCENE, tell, tell_call

SYMBOL = "BTC/USDC:USDC"


def exchange(address: str) -> ccxt.dydx:
    found = ccxt.dydx({"walletAddress": address})
    found.enableLastJsonResponse = True
    found.urls["api"]["indexer"] = SCENE["url"] + "/v4"
    return found


def main() -> None:
    mine, makers = exchange(SCENE["taker"]), exchange(SCENE["maker"])
    tell(declared=sorted(name for name, has in mine.has.items() if has and name.startswith(("fetch", "watch"))))
    whose = {"address": SCENE["taker"], "subaccountNumber": 0}
    calls = {
        "fetchTime": mine.fetch_time,
        "fetchMarkets": mine.fetch_markets,
        "fetchTrades": partial(mine.fetch_trades, SYMBOL),
        "fetchOHLCV": partial(mine.fetch_ohlcv, SYMBOL, "1m"),
        "fetchOrderBook": partial(mine.fetch_order_book, SYMBOL),
        "fetchL2OrderBook": partial(mine.fetch_l2_order_book, SYMBOL),
        "fetchFundingRateHistory": partial(mine.fetch_funding_rate_history, SYMBOL),
        "fetchOrders": partial(makers.fetch_orders, SYMBOL),
        "fetchOpenOrders": partial(makers.fetch_open_orders, SYMBOL),
        "fetchClosedOrders": partial(mine.fetch_closed_orders, SYMBOL),
        "fetchOrder": partial(makers.fetch_order, SCENE["resting"]),
        "fetchPosition": partial(mine.fetch_position, SYMBOL),
        "fetchPositions": makers.fetch_positions,
        "fetchBalance": mine.fetch_balance,
        "fetchAccounts": mine.fetch_accounts,
        "fetchTransfers": mine.fetch_transfers,
        "fetchDeposits": mine.fetch_deposits,
        "fetchWithdrawals": mine.fetch_withdrawals,
        "fetchDepositsWithdrawals": mine.fetch_deposits_withdrawals,
        "fetchLedger": mine.fetch_ledger,
        "indexerGetFills": partial(mine.indexerGetFills, whose),
        "indexerGetAssetPositions": partial(mine.indexerGetAssetPositions, whose),
        "indexerGetFundingPayments": partial(mine.indexerGetFundingPayments, whose),
        "indexerGetHistoricalPnl": partial(mine.indexerGetHistoricalPnl, whose),
        "indexerGetPnl": partial(mine.indexerGetPnl, whose),
        "indexerGetTradeHistory": partial(mine.indexerGetTradeHistory, whose),
        "indexerGetSparklines": partial(mine.indexerGetSparklines, {"timePeriod": "ONE_DAY"}),
        "indexerGetHeight": mine.indexerGetHeight,
    }
    for method, call in calls.items():
        tell_call(method, call)
        if method == "fetchBalance":
            tell(balance_height=mine.last_json_response["height"])


if __name__ == "__main__":
    main()
