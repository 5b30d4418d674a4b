# SPDX-License-Identifier: AGPL-3.0-only
"""The operator's key behind a signing service, and the alarm on its gas money."""

from pathlib import Path

from eth_account import Account

from tests.integration.relayer.harness import USDC, RelayerProcess, World, world
from tests.support.signing_service import SigningService
from tests.support.waiting import eventually


def _match(exchange: World, relayer: RelayerProcess) -> None:
    maker, taker = exchange.trader("maker"), exchange.trader("taker")
    relayer.catch_up()
    assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 20)).status_code == 201
    bid = exchange.signed(taker, "BUY", 20, time_in_force="IOC")
    assert relayer.http.post("/v4/orders", json=bid).json()["filled"] == "20"


def test_the_key_may_be_behind_a_signing_service(tmp_path: Path) -> None:
    receipts = Account.from_key(b"\x09" * 32)
    with world(tmp_path) as exchange:
        service = SigningService(exchange.operator)
        signer = {
            "OURO_OPERATOR_KEY": "",
            "OURO_OPERATOR_SIGNER_URL": service.url,
            "OURO_RECEIPT_KEY": receipts.key.hex(),
            "OURO_RECEIPT_SIGNER": receipts.address,
        }
        try:
            with exchange.relayer(**signer) as relayer:
                _match(exchange, relayer)
                eventually(lambda: exchange.settled_fill_ids() == [1], "settlement")
                owner = exchange.trader("owner")
                relayer.catch_up()
                asked = exchange.withdrawal(owner, 5 * USDC)
                assert relayer.http.post("/v4/withdrawals", json=asked).status_code == 200
                assert set(service.asked) == {"eth_signTransaction", "eth_signTypedData"}

                # It goes away: fills wait, the promise stands, people are told; it comes back: all goes on.
                honest, service.reply = service.reply, lambda _: b"gone"
                refused = relayer.http.post("/v4/withdrawals", json=exchange.withdrawal(owner, USDC))
                assert (refused.status_code, refused.json()["errorCode"]) == (503, "signer_unavailable")
                _match(exchange, relayer)
                eventually(
                    lambda: "signing service" in str(relayer.http.get("/ready").json().get("warnings")), "the warning"
                )
                service.reply = honest
                eventually(lambda: exchange.settled_fill_ids() == [1, 2], "settlement")
                eventually(lambda: "warnings" not in relayer.http.get("/ready").json(), "no warning")
                assert "a-secret" not in relayer.log()
        finally:
            service.close()


def test_little_gas_money_gives_an_alarm_while_orders_are_taken(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer(OURO_RELAYER_ALARM_BATCHES=str(10**15)) as relayer:
        _match(exchange, relayer)
        eventually(lambda: "gas_money_low" in relayer.log(), "the alarm")
        ready = relayer.http.get("/ready")
        assert ready.status_code == 200
        assert "send it ether" in ready.json()["warnings"][0]
        metrics = relayer.http.get("/metrics").text
        assert "ouro_relayer_operator_balance_batches" in metrics
