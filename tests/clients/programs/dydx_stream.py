# SPDX-License-Identifier: AGPL-3.0-only
"""Every channel of `dydx-v4-client`'s `IndexerSocket`: its snapshot, and an update that the test causes."""

from typing import Any

from dydx_v4_client.indexer.candles_resolution import CandlesResolution
from dydx_v4_client.indexer.socket.websocket import IndexerSocket

from tests.clients.programs.report import SCENE, tell

NAMES = {
    "v4_orderbook": "order_book",
    "v4_trades": "trades",
    "v4_candles": "candles",
    "v4_markets": "markets",
    "v4_subaccounts": "subaccounts",
}

snapshots: set[str] = set()
updated: set[str] = set()
unsubscribed: set[str] = set()


def opened(socket: IndexerSocket) -> None:
    socket.order_book.subscribe(SCENE["ticker"])
    socket.trades.subscribe(SCENE["ticker"])
    socket.candles.subscribe(SCENE["ticker"], CandlesResolution.ONE_MINUTE)
    socket.markets.subscribe()
    socket.subaccounts.subscribe(SCENE["taker"], 0)


def received(socket: IndexerSocket, message: dict[str, Any]) -> None:
    kind, channel = message["type"], message.get("channel", "")
    if kind == "error":
        tell(method="error", error=message["message"])
        socket.close()
    elif kind == "subscribed":
        snapshots.add(channel)
        tell(method=f"{NAMES[channel]}.subscribe", answer=message["contents"])
        if snapshots == NAMES.keys():
            tell(ready=True)
    elif kind in ("channel_data", "channel_batch_data"):
        tell(channel=channel, kind=kind, contents=message["contents"])
        if channel not in updated and not (channel == "v4_subaccounts" and "fills" not in message["contents"]):
            updated.add(channel)
            leave(socket, channel)
    elif kind == "unsubscribed":
        unsubscribed.add(channel)
        tell(method=f"{NAMES[channel]}.unsubscribe", answer=message["type"])
        if unsubscribed == NAMES.keys():
            socket.close()


def leave(socket: IndexerSocket, channel: str) -> None:
    part = getattr(socket, NAMES[channel])
    if channel == "v4_candles":
        part.unsubscribe(SCENE["ticker"], CandlesResolution.ONE_MINUTE)
    elif channel == "v4_subaccounts":
        part.unsubscribe(SCENE["taker"], 0)
    elif channel == "v4_markets":
        part.unsubscribe()
    else:
        part.unsubscribe(SCENE["ticker"])


def failed(socket: IndexerSocket, error: Exception) -> None:
    tell(method="error", error=f"{type(error).__name__}: {error}")
    socket.close()


if __name__ == "__main__":
    url = SCENE["url"].replace("http", "ws", 1) + "/v4/ws"
    IndexerSocket(url, on_open=opened, on_message=received, on_error=failed).run_forever()
