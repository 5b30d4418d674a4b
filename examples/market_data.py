# SPDX-License-Identifier: Apache-2.0
"""What anybody can read, without a key."""

from ouro.client import OuroClient


def main() -> None:
    with OuroClient() as client:
        for market in client.markets.list():
            print(f"{market.ticker} {market.status}: index {market.oracle_price}, steps {market.tick_size}")
        book = client.markets.book("BTC-USD")
        print(f"{len(book.bids)} bids, {len(book.asks)} asks")
        for trade in client.markets.trades("BTC-USD", limit=3):
            print(f"{trade.created_at} {trade.side} {trade.size} at {trade.price}")
        for candle in client.markets.candles("BTC-USD", "1MIN", limit=3):
            print(f"{candle.started_at} open {candle.open} close {candle.close}")
        for funding in client.markets.historical_funding("BTC-USD", limit=3):
            print(f"{funding.effective_at} {funding.rate} an hour")
        for event in client.chain.events(["MarketListed", "OracleSet"]):
            print(f"block {event.created_at_height}: {event.name} {event.arguments}")


if __name__ == "__main__":
    main()
