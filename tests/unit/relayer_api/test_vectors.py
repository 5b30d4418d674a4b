# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer reads the very messages that contracts and SDK are bound to."""

import json
from typing import Any

import msgspec
import pytest

from ouro.deployment import Deployment
from ouro.eip712 import Domain
from relayer.api.bodies import PlaceBody
from relayer.api.verifying import Verifier, account_of
from relayer.audit.orders import Signatures
from relayer.audit.report import Report
from relayer.core.inputs import AnyCancel, Place
from tests.support.build import ROOT

FOLDER = ROOT / "tests" / "vectors"
ORDERS = json.loads((FOLDER / "orders.json").read_text())
MESSAGES = {vector["name"]: vector for vector in json.loads((FOLDER / "messages.json").read_text())}


def verifier(exchange: str, vault: str, chain_id: int) -> Verifier:
    """On the deployment that the vectors were signed for, with the markets they name."""
    listing = {
        "sizeDecimals": 4,
        "priceDecimals": 2,
        "tick": 1,
        "imfPpm": 50_000,
        "mmfPpm": 30_000,
        "bandPpm": 100_000,
        "maxOpenInterest": 10**8,
        "maxPriceAge": 60,
        "liquidationFloorPpm": 0,
        "state": 1,
    }
    markets = sorted({(vector["marketId"], vector["message"]["market"]) for vector in ORDERS["orders"]})
    record = {
        "chainId": chain_id,
        "startBlock": 0,
        "settleWindow": 60,
        "withdrawalDelay": 120,
        "operator": exchange,
        "priceSigner": exchange,
        "contracts": {"exchange": exchange, "vault": vault, "oracle": exchange, "usdc": exchange},
        "markets": [{"id": id_, "ticker": ticker, **listing} for id_, ticker in markets],
    }
    return Verifier(Deployment.from_record(record))


def place(vector: dict[str, Any], **changes: object) -> Place:
    domain = ORDERS["domain"]
    contract = domain["verifyingContract"]
    message = {**vector["message"], **changes}
    return verifier(contract, contract, domain["chainId"]).place(
        PlaceBody(order=msgspec.Raw(msgspec.json.encode(message)), signature=vector["signature"], client_id="1")
    )


@pytest.mark.parametrize("vector", ORDERS["orders"], ids=lambda vector: vector["name"])
def test_orders(vector: dict[str, Any]) -> None:
    placed = place(vector)
    assert "0x" + placed.order_id.hex() == vector["digest"]
    assert placed.signer == vector["signer"]
    for name in ("terms", "amounts", "r", "vs"):
        assert "0x" + getattr(placed, name).hex() == vector[name]


@pytest.mark.parametrize("vector", ORDERS["orders"][:1], ids=lambda vector: vector["name"])
def test_an_order_that_is_not_the_signed_one(vector: dict[str, Any]) -> None:
    """It is by somebody whom the core knows nothing of."""
    placed = place(vector, size=vector["message"]["size"] + 1)
    assert placed.signer not in (vector["signer"], vector["message"]["account"])
    assert account_of(placed) == vector["message"]["account"]


@pytest.mark.parametrize("name", [name for name in MESSAGES if MESSAGES[name]["primaryType"].startswith("Cancel")])
def test_cancels(name: str) -> None:
    vector = MESSAGES[name]
    domain, message, signature = vector["domain"], vector["message"], vector["signature"]
    reader = verifier(domain["verifyingContract"], domain["verifyingContract"], domain["chainId"])
    item: AnyCancel
    match vector["primaryType"]:
        case "CancelOrder":
            item, _ = reader.cancel(message, signature, message["orderId"])
        case "CancelByClientId":
            item, _ = reader.cancel_by_client_id(message, signature)
        case "CancelAll":
            item, _ = reader.cancel_all(message, signature)
        case _:
            item, _ = reader.cancel_all_after(message, signature)
    assert item.signer == vector["signer"]
    # The record proves to an audit who asked for it.
    asked = Domain(domain["chainId"], domain["verifyingContract"])
    assert _found(item, asked) == []
    assert _found(msgspec.structs.replace(item, nonce=item.nonce + 1), asked) == ["who signed it?"]
    assert _found(msgspec.structs.replace(item, subaccount=item.subaccount + 1), asked) == ["who signed it?"]
    assert _found(msgspec.structs.replace(item, signature=b""), asked) == ["who signed it?"]


def _found(item: AnyCancel, domain: Domain) -> list[str]:
    report = Report()
    Signatures(report).check_cancel(1, item, domain)
    return [finding.check for finding in report.findings]


@pytest.mark.parametrize("name", [name for name in MESSAGES if MESSAGES[name]["primaryType"] == "Withdrawal"])
def test_withdrawals(name: str) -> None:
    vector = MESSAGES[name]
    domain = vector["domain"]
    exchange = ORDERS["domain"]["verifyingContract"]
    reader = verifier(exchange, domain["verifyingContract"], domain["chainId"])
    item, digest = reader.withdrawal(vector["message"], vector["signature"])
    assert "0x" + digest.hex() == vector["digest"]
    assert item.signer == vector["signer"]
