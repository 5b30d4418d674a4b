# SPDX-License-Identifier: AGPL-3.0-only
"""Every vector equals what the code makes of it, and the files are what their generator writes."""

from collections.abc import Callable
from typing import Any

import pytest

from ouro import codec, eip712, receipts
from ouro.eip712 import Domain
from ouro.maths import fees, funding, liquidation, margin
from ouro.maths.funding import FundingState
from ouro.maths.margin import Leg, Margin
from ouro.orders import Order
from tests.unit.ouro.conftest import FOLDER
from tests.vectors import generate

Vectors = Callable[[str], Any]

OWNER_KEY = bytes.fromhex(generate.OWNER_KEY[2:])
OTHER_KEY = bytes.fromhex(generate.OTHER_KEY[2:])


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def domain_of(record: dict[str, Any]) -> Domain:
    return Domain(record["chainId"], record["verifyingContract"], record["name"], record["version"])


def margin_of(record: dict[str, str]) -> Margin:
    return Margin(int(record["equityScaled"]), int(record["imScaled"]), int(record["mmScaled"]))


def legs_of(records: list[dict[str, str]]) -> list[Leg]:
    names = ("size", "q", "g", "indexPrice", "imfPpm", "mmfPpm")
    return [Leg(*(int(record[name]) for name in names)) for record in records]


def state_of(record: dict[str, str]) -> FundingState:
    names = ("gLong", "gShort", "slope", "rate", "hour", "premiumSum", "volumeSum", "openInterest")
    return FundingState(*(int(record[name]) for name in names))


@pytest.mark.parametrize("name", generate.everything())
def test_files_are_what_the_generator_writes(name: str) -> None:
    written = (FOLDER / f"{name}.json").read_text()
    assert written == generate.as_text(generate.everything()[name]), "run tests/vectors/generate.py"


def test_orders(vectors: Vectors) -> None:
    file = vectors("orders")
    domain = domain_of(file["domain"])
    assert len(file["orders"]) >= 12
    for vector in file["orders"]:
        order = Order.from_message(vector["message"])
        signature = raw(vector["signature"])
        key = OWNER_KEY if vector["signer"] == generate.OWNER else OTHER_KEY
        assert order.message() == vector["message"]
        assert eip712.order_digest(domain, order).hex() == vector["digest"][2:], vector["name"]
        assert eip712.digest(domain, "Order", vector["message"]).hex() == vector["digest"][2:]
        assert eip712.sign(raw(vector["digest"]), key) == signature
        assert eip712.recover(raw(vector["digest"]), signature) == vector["signer"]
        packed = codec.pack_order(order, vector["marketId"], signature)
        assert [f"0x{word:064x}" for word in packed] == [vector[name] for name in ("terms", "amounts", "r", "vs")]
        tickers = {vector["marketId"]: order.market}
        assert codec.unpack_order(packed[0], packed[1], tickers) == order


def test_typed_data_is_the_json_that_wallets_take(vectors: Vectors) -> None:
    file = vectors("orders")
    domain = domain_of(file["domain"])
    for vector in file["orders"]:
        document = eip712.typed_data(domain, "Order", vector["message"])
        assert document == {
            "types": file["types"],
            "primaryType": "Order",
            "domain": file["domain"],
            "message": vector["message"],
        }


def test_messages(vectors: Vectors) -> None:
    for vector in vectors("messages"):
        digest = eip712.digest(domain_of(vector["domain"]), vector["primaryType"], vector["message"])
        assert digest.hex() == vector["digest"][2:], vector["name"]
        assert eip712.recover(digest, raw(vector["signature"])) == vector["signer"]
        assert eip712.sign(digest, OWNER_KEY) == raw(vector["signature"])


def test_every_message_type_has_a_vector(vectors: Vectors) -> None:
    elsewhere = {"Order", "Head"}
    assert {vector["primaryType"] for vector in vectors("messages")} | elsewhere == set(eip712.TYPES)


def test_receipts(vectors: Vectors) -> None:
    file = vectors("receipts")
    domain = domain_of(file["domain"])
    for group in file["groups"]:
        seq, head = group["message"]["seq"], raw(group["message"]["head"])
        digest = eip712.head_digest(domain, seq, head)
        assert digest == eip712.digest(domain, "Head", group["message"]) == raw(group["digest"])
        assert eip712.sign(digest, OWNER_KEY) == raw(group["signature"])
        for vector in group["receipts"]:
            receipt = receipts.from_json(vector)
            assert receipts.to_json(receipt) == vector
            assert receipts.verify(receipt, generate.OWNER, domain, record=raw(vector["record"])) == head


def test_words(vectors: Vectors) -> None:
    file = vectors("words")
    for vector in file["details"]:
        detail = codec.unpack_detail(int(vector["word"], 16))
        assert detail == codec.FillDetail(
            int(vector["fillId"]),
            int(vector["price"]),
            int(vector["size"]),
            int(vector["market"]),
            int(vector["takerSubaccount"]),
            int(vector["makerSubaccount"]),
            int(vector["takerFeePpm"]),
            int(vector["makerFeePpm"]),
            vector["takerSold"],
        )
    for vector in file["positions"]:
        assert codec.unpack_position(int(vector["word"], 16)) == codec.PositionWord(
            int(vector["size"]), int(vector["q"]), int(vector["oneShotMs"])
        )
    for vector in file["slots"]:
        names = ("generation", "revision", "filled", "cancel", "tag")
        assert codec.unpack_slot(int(vector["word"], 16)) == codec.SlotWord(*(int(vector[name]) for name in names))
    for vector in file["fills"]:
        fields = ("fillId", "price", "size", "taker", "maker", "takerFeePpm", "makerFeePpm")
        fill = codec.FillWord(*(int(vector[name]) for name in fields))
        assert f"0x{codec.pack_fill(fill):064x}" == vector["word"]
    for vector in file["flags"]:
        fill = codec.FillWord(7, 0, 0, 0, 0, 0, 0, vector["flags"])
        assert f"0x{codec.pack_fill(fill):064x}" == vector["word"]
    for vector in file["keys"]:
        fields = (int(vector[name]) for name in ("expiry", "revokedAt", "budget"))
        assert codec.unpack_key(int(vector["word"], 16)) == codec.KeyWord(*fields, tuple(vector["markets"]))
        assert codec.unpack_key_markets(int(vector["packedMarkets"], 16)) == tuple(vector["markets"])
    for vector in file["tiers"]:
        tier = codec.FeeTier(int(vector["volume"]), int(vector["takerPpm"]), int(vector["makerPpm"]))
        assert codec.unpack_tier(int(vector["word"], 16)) == tier


def test_settle(vectors: Vectors) -> None:
    for vector in vectors("settle"):
        orders = [tuple(int(word, 16) for word in order) for order in vector["orders"]]
        fills = [int(word, 16) for word in vector["fills"]]
        calldata = codec.encode_settle(raw(vector["prev"]), raw(vector["next"]), orders, fills)  # type: ignore[arg-type]
        assert calldata == raw(vector["calldata"]), vector["name"]


def test_fees(vectors: Vectors) -> None:
    for vector in vectors("fees"):
        assert fees.fee(int(vector["notional"]), vector["ratePpm"]) == int(vector["fee"])


def test_funding(vectors: Vectors) -> None:
    file = vectors("funding")
    for vector in file["premiums"]:
        assert funding.premium(vector["price"], vector["indexPrice"]) == vector["premium"]
    for vector in file["rates"]:
        sums = (int(vector[name]) for name in ("premiumSum", "volumeSum", "openInterest"))
        assert funding.next_rate(vector["rateBefore"], *sums) == vector["rate"]
    for vector in file["slopes"]:
        assert funding.slope(vector["rate"], int(vector["indexPrice"])) == int(vector["slope"])
    for vector in file["growths"]:
        assert funding.growth(int(vector["slope"]), vector["hour"], vector["now"]) == int(vector["growth"])
    for vector in file["touches"]:
        after = funding.touch(state_of(vector["before"]), vector["now"], vector["indexPrice"])
        assert after == state_of(vector["after"])


def test_referrals(vectors: Vectors) -> None:
    file = vectors("referrals")
    for vector in file["shares"]:
        fee, both = int(vector["fee"]), int(vector["bothFees"])
        assert fees.referral(fee, both, vector["sharePpm"]) == int(vector["amount"])
    for vector in file["countsForFunding"]:
        rates = vector["takerFeePpm"], vector["makerFeePpm"]
        assert funding.pays_enough(*rates, vector["sharePpm"]) is vector["counts"], vector


def test_margin(vectors: Vectors) -> None:
    file = vectors("margin")
    for vector in file["accounts"]:
        found = margin.evaluate(int(vector["cash"]), legs_of(vector["legs"]))
        assert found == margin_of(vector), vector["name"]
        assert margin.withdrawable(int(vector["cash"]), found) == int(vector["withdrawable"])
    for vector in file["changes"]:
        before, after = margin_of(vector["before"]), margin_of(vector["after"])
        assert margin.improves(before, after) is vector["improves"], vector["name"]
        assert margin.allowed(before, after) is vector["allowed"], vector["name"]
    for vector in file["scaledImf"]:
        notional = int(vector["openInterest"]) * int(vector["indexPrice"])
        scaled = margin.scaled_imf(vector["imfPpm"], vector["scaleFrom"], vector["scaleTo"], notional)
        assert scaled == vector["scaledPpm"], vector


def test_liquidation(vectors: Vectors) -> None:
    for vector in vectors("liquidation"):
        legs = legs_of(vector["legs"])
        taken_over = legs[0]
        found = margin.evaluate(int(vector["cash"]), legs)
        assert found == margin_of(vector), vector["name"]
        assert liquidation.is_liquidatable(found)
        quote = liquidation.quote(
            found,
            taken_over.size,
            taken_over.price,
            imf_ppm=taken_over.imf_ppm,
            mmf_ppm=taken_over.mmf_ppm,
            floor_ppm=vector["floorPpm"],
        )
        assert quote == liquidation.LiquidationQuote(
            int(vector["perLot"]),
            int(vector["insurancePerLot"]),
            int(vector["accountPrice"]),
            int(vector["liquidatorPrice"]),
            int(vector["maxSize"]),
        ), vector["name"]
        for hole in vector.get("holes", []):
            left = abs(taken_over.size) - int(hole["taken"])
            share = liquidation.hole_share(found, taken_over.size, left, taken_over.price, taken_over.mmf_ppm)
            assert share == int(hole["hole"]), vector["name"]
