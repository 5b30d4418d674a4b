# SPDX-License-Identifier: AGPL-3.0-only
"""What the relayer says of itself: figures for Prometheus, and logs that name nobody."""

from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World
from tests.support.waiting import eventually


def _samples(relayer: RelayerProcess) -> dict[str, float]:
    lines = relayer.http.get("/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def test_risk_is_watched(shared: World) -> None:
    with shared.relayer("watched", OURO_RELAYER_RISK_S="0.2") as relayer:
        maker, first, second = (
            shared.trader(role, usdc) for role, usdc in (("maker", 10_000), ("first", 40), ("second", 10_000))
        )
        relayer.catch_up()
        behind = {"X-Forwarded-For": "203.0.113.7"}
        relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 400), headers=behind).raise_for_status()
        for taker, size in ((first, 300), (second, 100)):
            relayer.http.post("/v4/orders", json=shared.signed(taker, "BUY", size)).raise_for_status()
        market = '{market="BTC-USD"}'
        open_interest = 400 * BTC_PRICE / 10**6
        eventually(
            lambda: _samples(relayer)[f"ouro_relayer_open_interest_usdc{market}"] == open_interest, "open interest"
        )
        samples = _samples(relayer)
        assert samples[f"ouro_relayer_largest_share{market}"] == 0.5
        assert samples['ouro_relayer_accounts{which="with positions"}'] == 3
        assert samples['ouro_relayer_accounts{which="near liquidation"}'] == 0
        assert samples['ouro_relayer_request_seconds_count{command="place"}'] == 3
        assert samples["ouro_relayer_journal_seq"] > 3
        assert 0 <= samples[f"ouro_relayer_index_price_age_seconds{market}"] < 60
        assert samples["ouro_relayer_orders_queued"] == 0
        text = relayer.log()
        for key in (maker, first, second):
            assert key.address.lower() not in text.lower()
        assert relayer.environment["OURO_OPERATOR_KEY"][2:] not in text
        assert "203.0.113.7" not in text
        shared.push(BTC_PRICE * 95 // 100)
        liquidatable = 'ouro_relayer_accounts{which="liquidatable"}'
        eventually(lambda: _samples(relayer)[liquidatable] == 1, "the thin account in trouble")
