# SPDX-License-Identifier: AGPL-3.0-only
"""Writes the JSON vectors that bind contracts, SDK and web to docs/protocol.md: `python tests/vectors/generate.py`.

Nothing here comes from `ouro`. Digests and signatures are eth_account's, words are put together as bit strings,
calldata by hand, and formulas are exact Fractions rounded as the text says. Words and hashes are 0x hex; whatever may
leave the range that JSON readers keep exact is a decimal string.
"""

from __future__ import annotations

import hashlib
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

FOLDER = Path(__file__).parent
SCALE = 2**32
PPM = 10**6
HOUR = 3_600

# The first two keys of the well-known test mnemonic "test test ... junk".
OWNER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OTHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
OWNER = Account.from_key(OWNER_KEY).address
OTHER = Account.from_key(OTHER_KEY).address

CHAIN_ID = 31_337
EXCHANGE = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
VAULT = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
ORACLE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MARKETS = {"BTC-USD": 1, "ETH-USD": 2}

SIDES = ["BUY", "SELL"]
TIMES_IN_FORCE = ["GTT", "IOC", "FOK"]
TRIGGERS = ["NONE", "AT_OR_ABOVE", "AT_OR_BELOW"]
SELF_TRADES = ["CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT"]

FIELDS = {
    "EIP712Domain": "string name,string version,uint256 chainId,address verifyingContract",
    "Order": (
        "string market,string side,uint48 size,uint48 limitPrice,string timeInForce,bool postOnly,bool reduceOnly,"
        "string trigger,uint48 triggerPrice,uint16 maxFeePpm,uint32 expiry,address account,uint16 subaccount,"
        "string selfTrade,uint16 slot,uint48 generation,uint16 revision,uint32 referrer"
    ),
    "CancelOrder": "address account,uint16 subaccount,bytes32 orderId,uint64 nonce",
    "CancelByClientId": "address account,uint16 subaccount,string clientId,uint64 nonce",
    "CancelAll": "address account,uint16 subaccount,string market,uint64 nonce",
    "CancelAllAfter": "address account,uint16 subaccount,uint32 timeoutSeconds,uint64 nonce",
    "SessionKey": "address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce",
    "Withdrawal": "address account,uint16 subaccount,uint64 amount,address to,uint64 nonce,uint32 deadline",
    "Price": "uint16 market,uint48 price,uint40 publishedAt",
    "Head": "uint64 seq,bytes32 head",
    "ReadAccount": "address account,uint32 expiry",
}

Json = dict[str, Any]


def domain(contract: str, name: str = "Ouro") -> Json:
    return {"name": name, "version": "1", "chainId": CHAIN_ID, "verifyingContract": contract}


def types(primary_type: str) -> Json:
    def split(name: str) -> list[Json]:
        return [{"name": field.split(" ")[1], "type": field.split(" ")[0]} for field in FIELDS[name].split(",")]

    return {"EIP712Domain": split("EIP712Domain"), primary_type: split(primary_type)}


def signed(domain_: Json, primary_type: str, message: Json, key: str = OWNER_KEY) -> Json:
    """What a wallet makes of the message: digest, 65 bytes of signature, signer."""
    document = {
        "types": types(primary_type),
        "primaryType": primary_type,
        "domain": domain_,
        "message": message,
    }
    signable = encode_typed_data(full_message=document)
    signature = Account.sign_message(signable, key)
    return {
        "digest": "0x" + keccak(b"\x19" + signable.version + signable.header + signable.body).hex(),
        "signature": "0x" + bytes(signature.signature).hex(),
        "signer": Account.from_key(key).address,
    }


def word(*fields: tuple[int, int]) -> int:
    """A word from (value, bits) pairs, the most significant first; negative values in two's complement."""
    bits = "".join(format(value % (1 << width), f"0{width}b") for value, width in fields)
    assert len(bits) == 256
    return int(bits, 2)


def hex_word(value: int) -> str:
    return f"0x{value:064x}"


# Orders


def order_words(message: Json, signature: str) -> Json:
    flags = [
        (0, 7),
        (SELF_TRADES.index(message["selfTrade"]), 2),
        (TRIGGERS.index(message["trigger"]), 2),
        (int(message["reduceOnly"]), 1),
        (int(message["postOnly"]), 1),
        (TIMES_IN_FORCE.index(message["timeInForce"]), 2),
        (SIDES.index(message["side"]), 1),
    ]
    terms = word(
        (int(message["account"], 16), 160),
        (message["subaccount"], 16),
        (MARKETS[message["market"]], 16),
        (message["expiry"], 32),
        (message["referrer"], 32),
    )
    amounts = word(
        (message["size"], 48),
        (message["limitPrice"], 48),
        (message["triggerPrice"], 48),
        (message["generation"], 48),
        (message["slot"], 16),
        (message["revision"], 16),
        (message["maxFeePpm"], 16),
        *flags,
    )
    raw = bytes.fromhex(signature[2:])
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    return {
        "terms": hex_word(terms),
        "amounts": hex_word(amounts),
        "r": hex_word(r),
        "vs": hex_word(word((v - 27, 1), (s, 255))),
    }


PLAIN_ORDER: Json = {
    "market": "BTC-USD",
    "side": "BUY",
    "size": 10_000,
    "limitPrice": 9_500_000,
    "timeInForce": "GTT",
    "postOnly": False,
    "reduceOnly": False,
    "trigger": "NONE",
    "triggerPrice": 0,
    "maxFeePpm": 500,
    "expiry": 1_767_225_660,
    "account": OWNER,
    "subaccount": 0,
    "selfTrade": "CANCEL_TAKER",
    "slot": 1,
    "generation": 1_764_547_200_000,
    "revision": 0,
    "referrer": 0,
}

ORDERS: list[tuple[str, Json, str]] = [
    ("a plain limit buy", {}, OWNER_KEY),
    ("a limit sell by somebody else in the other market", {"side": "SELL", "market": "ETH-USD"}, OTHER_KEY),
    ("post-only", {"postOnly": True, "slot": 2}, OWNER_KEY),
    ("reduce-only", {"reduceOnly": True, "side": "SELL", "slot": 3}, OWNER_KEY),
    ("immediate or cancel", {"timeInForce": "IOC", "slot": 0}, OWNER_KEY),
    ("fill or kill", {"timeInForce": "FOK", "slot": 0, "side": "SELL"}, OTHER_KEY),
    ("triggered above", {"trigger": "AT_OR_ABOVE", "triggerPrice": 9_600_000}, OWNER_KEY),
    ("triggered below", {"trigger": "AT_OR_BELOW", "triggerPrice": 9_400_000, "side": "SELL"}, OWNER_KEY),
    ("cancel the maker on self-trade", {"selfTrade": "CANCEL_MAKER"}, OWNER_KEY),
    ("cancel both on self-trade", {"selfTrade": "CANCEL_BOTH"}, OWNER_KEY),
    ("decrement on self-trade", {"selfTrade": "DECREMENT"}, OWNER_KEY),
    ("an amended order", {"revision": 7, "size": 12_345}, OWNER_KEY),
    ("with a referrer", {"referrer": 4_294_967_295}, OWNER_KEY),
    ("another subaccount", {"subaccount": 65_535}, OWNER_KEY),
    (
        "every number at its largest, every flag set",
        {
            "side": "SELL",
            "size": 2**48 - 1,
            "limitPrice": 2**48 - 1,
            "timeInForce": "FOK",
            "postOnly": True,
            "reduceOnly": True,
            "trigger": "AT_OR_BELOW",
            "triggerPrice": 2**48 - 1,
            "maxFeePpm": 65_535,
            "expiry": 2**32 - 1,
            "subaccount": 65_535,
            "selfTrade": "DECREMENT",
            "slot": 65_535,
            "generation": 2**48 - 1,
            "revision": 65_535,
            "referrer": 2**32 - 1,
        },
        OWNER_KEY,
    ),
    (
        "every number at its smallest",
        {"size": 0, "limitPrice": 0, "maxFeePpm": 0, "expiry": 0, "slot": 0, "generation": 0},
        OWNER_KEY,
    ),
]


def orders() -> Json:
    vectors = []
    for name, changes, key in ORDERS:
        message = PLAIN_ORDER | {"account": Account.from_key(key).address} | changes
        proof = signed(domain(EXCHANGE), "Order", message, key)
        vectors.append(
            {
                "name": name,
                "message": message,
                "marketId": MARKETS[message["market"]],
                **proof,
                **order_words(message, proof["signature"]),
            }
        )
    return {"domain": domain(EXCHANGE), "types": types("Order"), "orders": vectors}


def messages() -> list[Json]:
    nonce = 1_764_547_200_123
    order_id = "0x" + keccak(text="some order").hex()
    exchange, vault, oracle = domain(EXCHANGE), domain(VAULT), domain(ORACLE, "Ouro Oracle")
    session = {"account": OWNER, "key": OTHER, "budget": 10**12, "expiry": 1_767_225_600, "nonce": nonce}
    wanted: list[tuple[str, Json, str, Json]] = [
        (
            "cancel one order",
            exchange,
            "CancelOrder",
            {"account": OWNER, "subaccount": 3, "orderId": order_id, "nonce": nonce},
        ),
        (
            "cancel by client id",
            exchange,
            "CancelByClientId",
            {"account": OWNER, "subaccount": 0, "clientId": "grid-7/β", "nonce": nonce},
        ),
        (
            "cancel all of a market",
            exchange,
            "CancelAll",
            {"account": OWNER, "subaccount": 0, "market": "ETH-USD", "nonce": nonce},
        ),
        (
            "cancel all everywhere",
            exchange,
            "CancelAll",
            {"account": OWNER, "subaccount": 0, "market": "", "nonce": nonce},
        ),
        (
            "arm the dead man's switch",
            exchange,
            "CancelAllAfter",
            {"account": OWNER, "subaccount": 0, "timeoutSeconds": 30, "nonce": nonce},
        ),
        (
            "disarm the dead man's switch",
            exchange,
            "CancelAllAfter",
            {"account": OWNER, "subaccount": 0, "timeoutSeconds": 0, "nonce": 2**53 - 1},
        ),
        ("a session key for every market", exchange, "SessionKey", session | {"markets": []}),
        ("a session key for two markets", exchange, "SessionKey", session | {"markets": ["BTC-USD", "ETH-USD"]}),
        ("a session key for one market", exchange, "SessionKey", session | {"markets": ["ETH-USD"]}),
        (
            "a session key with the largest numbers",
            exchange,
            "SessionKey",
            session | {"markets": [], "budget": 2**53 - 1, "expiry": 2**32 - 1, "nonce": 2**53 - 1},
        ),
        (
            "a withdrawal",
            vault,
            "Withdrawal",
            {
                "account": OWNER,
                "subaccount": 1,
                "amount": 125_000_001,
                "to": OTHER,
                "nonce": nonce,
                "deadline": 1_764_547_260,
            },
        ),
        (
            "a proof for reading an account",
            exchange,
            "ReadAccount",
            {"account": OWNER, "expiry": 1_764_550_800},
        ),
        ("a pushed price", oracle, "Price", {"market": 1, "price": 9_512_345, "publishedAt": 1_764_547_201}),
    ]
    return [
        {
            "name": name,
            "primaryType": primary_type,
            "domain": domain_,
            "message": message,
            **signed(domain_, primary_type, message),
        }
        for name, domain_, primary_type, message in wanted
    ]


# Receipts


def tree_root(records: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if len(records) == 1:
        return hashlib.sha256(b"\x00" + records[0]).digest()
    split = 1 << (len(records) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree_root(records[:split]) + tree_root(records[split:])).digest()


def tree_path(records: list[bytes], index: int) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(records) == 1:
        return []
    split = 1 << (len(records) - 1).bit_length() - 1
    if index < split:
        return [*tree_path(records[:split], index), tree_root(records[split:])]
    return [*tree_path(records[split:], index - split), tree_root(records[:split])]


def receipts() -> Json:
    """One group of each size: its head, the operator's signature, and the receipt of every record."""
    exchange = domain(EXCHANGE)
    groups: list[Json] = []
    before, first_seq = hashlib.sha256(b"before").digest(), 2**40 + 1
    for count in (1, 2, 3, 7, 8):
        records = [f"record {first_seq + index}".encode() for index in range(count)]
        state_hash = hashlib.sha256(f"state {first_seq}".encode()).digest()
        numbers = first_seq.to_bytes(8, "big") + count.to_bytes(4, "big")
        head = hashlib.sha256(before + numbers + tree_root(records) + state_hash).digest()
        message = {"seq": first_seq + count - 1, "head": "0x" + head.hex()}
        sealed = signed(exchange, "Head", message)
        shared = {
            "firstSeq": first_seq,
            "count": count,
            "stateHash": "0x" + state_hash.hex(),
            "before": "0x" + before.hex(),
            "signature": sealed["signature"],
        }
        groups.append(
            {
                "message": message,
                **sealed,
                "receipts": [
                    {
                        "seq": first_seq + index,
                        "record": "0x" + record.hex(),
                        "path": ["0x" + each.hex() for each in tree_path(records, index)],
                        **shared,
                    }
                    for index, record in enumerate(records)
                ],
            }
        )
        before, first_seq = head, first_seq + count
    return {"domain": exchange, "groups": groups}


# Formulas


def clamp(value: int, lowest: int, highest: int) -> int:
    return max(lowest, min(highest, value))


def fee(notional: int, rate: int) -> int:
    return math.ceil(Fraction(notional * rate, PPM))


def fees() -> list[Json]:
    cases = [(0, 350), (1, 1), (1, -1), (999_999, -1), (1_000_000, -1), (2_857, 350), (2_858, 350)]
    cases += [(95_000_000_000, 350), (95_000_000_001, -100), (2**86, 65_535), (2**86 - 1, -32_768), (10**12, 0)]
    return [{"notional": str(notional), "ratePpm": rate, "fee": str(fee(notional, rate))} for notional, rate in cases]


def referrals() -> Json:
    """What referrers get, and which fills count for funding when there is one."""
    cases = [(0, 0, 500_000), (700, 700, 100_000), (700, 600, 100_000), (-100, 600, 100_000), (999, 999, 1_000)]
    cases += [(1_001, 1_002, 333_333), (2**86, 2**86, 500_000), (10**12, 10**12 - 1, 1), (350, 0, 500_000), (7, 9, 0)]
    rates = [(350, 0, 0), (350, 0, 428_571), (350, 0, 428_572), (200, 0, 0), (200, 0, 1), (400, 0, 500_000)]
    rates += [(400, -1, 500_000), (65_535, -32_768, 500_000)]
    return {
        "shares": [
            {
                "fee": str(paid),
                "bothFees": str(both),
                "sharePpm": share,
                "amount": str(math.floor(Fraction(max(0, min(paid, both)) * share, PPM))),
            }
            for paid, both, share in cases
        ],
        "countsForFunding": [
            {
                "takerFeePpm": taker,
                "makerFeePpm": maker,
                "sharePpm": share,
                "counts": (taker + maker) * (1 - Fraction(share, PPM)) >= 200,
            }
            for taker, maker, share in rates
        ],
    }


def premium(price: int, index: int) -> int:
    return clamp(math.trunc(Fraction((price - index) * 10**8, index)), -5_000, 5_000)


def next_rate(rate: int, premium_sum: int, volume: int, open_interest: int) -> int:
    weight = max(volume, math.floor(Fraction(open_interest, 2)))
    if weight == 0:
        return 0
    return clamp(math.trunc(Fraction(premium_sum, weight)), min(rate, 0) - 2_500, max(rate, 0) + 2_500)


def slope_of(rate: int, price: int) -> int:
    return math.trunc(Fraction(rate * price * SCALE, 10**8 * HOUR))


FUNDING_START: Json = {
    "gLong": 12_345_678_901,
    "gShort": -9_876_543_210,
    "slope": 2_833_231,
    "rate": 2_500,
    "hour": 1_764_547_200 // HOUR,
    "premiumSum": -1_234_567_890,
    "volumeSum": 300_000,
    "openInterest": 1_000_001,
}


def touched(state: Json, now: int, price: int) -> Json:
    """The state after a touch at a fresh price, as section 5 tells it."""
    hour = now // HOUR
    if hour == state["hour"]:
        return dict(state)
    rate = next_rate(state["rate"], state["premiumSum"], state["volumeSum"], state["openInterest"])
    slope = slope_of(rate, price)
    ended = {side: state[side] + state["slope"] * HOUR for side in ("gLong", "gShort")}
    if any(abs(index) + abs(slope) * HOUR > 2**78 for index in ended.values()):
        slope = 0
    following: Json = {"slope": slope, "rate": rate}
    if hour > state["hour"] + 1:
        ended = {side: index + slope * HOUR for side, index in ended.items()}
        following = {"slope": 0, "rate": 0}
    return state | ended | following | {"hour": hour, "premiumSum": 0, "volumeSum": 0}


def growth(state: Json, now: int) -> int:
    start = state["hour"] * HOUR
    return state["slope"] * (min(now, start + HOUR) - start)


def funding() -> Json:
    prices = [(9_500_000, 9_500_000), (9_501_000, 9_500_000), (9_499_999, 9_500_000), (9_599_999, 9_500_000)]
    prices += [(9_400_000, 9_500_000), (1, 2**40), (2**40, 1), (3, 7), (10**12 + 1, 10**12), (10**12 - 1, 10**12)]
    sums = [(0, 0, 0, 0), (0, 0, 0, 1), (0, 5, 0, 1), (0, -7, 2, 0), (0, 7, 2, 0), (0, -7, 2, 3)]
    sums += [(0, 10**12, 1, 10**6), (0, -(10**12), 1, 10**6), (2_500, 10**12, 1, 10**6), (5_000, 10**12, 1, 10**6)]
    sums += [(-2_500, 10**12, 1, 10**6), (3_000, -(10**12), 1, 10**6), (3_000, 0, 0, 10**6), (3_000, 0, 0, 1)]
    sums += [(3_000, 4_999 * 500_000, 1, 10**6), (-1, 499_999, 1, 101), (0, -5_000 * 2**46, 2**46, 2**46)]
    slopes = [(0, 9_500_000), (1, 1), (-1, 1), (1, 83), (1, 84), (-1, 84), (5_000, 9_500_000), (-5_000, 9_500_000)]
    slopes += [(5_000, 2**40), (-5_000, 2**40), (-7, 9_512_345)]
    base = FUNDING_START
    start = base["hour"] * HOUR
    end = start + HOUR
    states = [base, base | {"slope": -1, "rate": -1}, base | {"slope": 0, "rate": 0}]
    times = [start, start + 1, end - 1, end, end + 1, end + 10 * HOUR]
    still = {"volumeSum": 0, "premiumSum": 0}
    top = 2**78
    steep = {"rate": 0, "slope": 0, "premiumSum": 10**13}
    room = slope_of(2_500, 9_500_000) * HOUR
    touches = [
        (base, start + 600, 9_500_000),
        (base, end - 1, 9_500_000),
        (base, end, 9_500_000),
        (base, end + 1_800, 9_512_345),
        (base, end + HOUR - 1, 9_512_345),
        (base, end + HOUR, 9_512_345),
        (base, end + 10 * HOUR + 17, 2**40),
        (base | {"rate": -5_000, "slope": -5_666_462, "premiumSum": 10**13}, end + 2, 9_500_000),
        (base | {"premiumSum": 10**13}, end + 2, 9_500_000),
        (base | still | {"openInterest": 0}, end + 60, 9_500_000),
        (base | still | {"openInterest": 1}, end + 60, 9_500_000),
        (base | still, end + 60, 9_500_000),
        (base | steep | {"gLong": top - room}, end, 9_500_000),
        (base | steep | {"gLong": top - room + 1}, end, 9_500_000),
        (base | steep | {"gShort": -top + room, "premiumSum": -(10**13)}, end + 3 * HOUR, 9_500_000),
        (base | steep | {"gShort": -top + room - 1, "premiumSum": -(10**13)}, end + 3 * HOUR, 9_500_000),
    ]
    return {
        "premiums": [{"price": p, "indexPrice": i, "premium": premium(p, i)} for p, i in prices],
        "rates": [
            {
                "rateBefore": before,
                "premiumSum": str(total),
                "volumeSum": str(volume),
                "openInterest": str(interest),
                "rate": next_rate(before, total, volume, interest),
            }
            for before, total, volume, interest in sums
        ],
        "slopes": [
            {"rate": rate, "indexPrice": str(price), "slope": str(slope_of(rate, price))} for rate, price in slopes
        ],
        "growths": [
            {"slope": str(state["slope"]), "hour": state["hour"], "now": now, "growth": str(growth(state, now))}
            for state in states
            for now in times
        ],
        "touches": [
            {"before": _texts(state), "now": now, "indexPrice": price, "after": _texts(touched(state, now, price))}
            for state, now, price in touches
        ],
    }


def _texts(state: Json) -> Json:
    return {name: str(value) for name, value in state.items()}


Leg = tuple[int, int, int, int, int, int]
"""size, Q, G, index price, initial and maintenance margin in ppm."""


def health(cash: int, legs: list[Leg]) -> tuple[Fraction, int, int]:
    """Equity (exact) and margins in micro-USDC."""
    equity = Fraction(cash)
    initial = maintenance = 0
    for size, q, g, price, imf, mmf in legs:
        equity += Fraction(q - size * g, SCALE) + size * price
        initial += math.ceil(Fraction(abs(size) * price * imf, PPM))
        maintenance += math.ceil(Fraction(abs(size) * price * mmf, PPM))
    return equity, initial, maintenance


def _scaled(value: Fraction | int) -> str:
    exact = Fraction(value) * SCALE
    assert exact.denominator == 1
    return str(exact.numerator)


def opened(size: int, price: int, g: int, fee_: int = 0) -> int:
    """Q of a position opened from nothing."""
    return size * g - (size * price + fee_) * SCALE


BTC = (50_000, 30_000)
ETH = (100_000, 60_000)
CASH_AND_LEGS: list[tuple[str, int, list[Leg]]] = [
    ("nothing", 0, []),
    ("cash alone", 1_000_000_000, []),
    ("negative cash", -5, []),
    ("a long", 1_000_000_000, [(1_000, opened(1_000, 9_500_000, 77), 77, 9_500_000, *BTC)]),
    ("a short in profit", 500_000_000, [(-1_001, opened(-1_001, 9_600_000, -3), -3, 9_512_345, *BTC)]),
    ("an index that moved", 700_000_000, [(1_003, opened(1_003, 9_500_000, 10**9), 10**12 + 1, 9_499_999, *BTC)]),
    (
        "two legs",
        1_234_567_890,
        [
            (777, opened(777, 9_444_444, 5 * 10**11), 6 * 10**11, 9_500_001, *BTC),
            (-333, opened(-333, 3_101_001, 0), -(10**10), 3_099_999, *ETH),
        ],
    ),
    ("below maintenance", 25_000_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_750_000 - 240_000, *BTC)]),
    ("bankrupt", 10_000_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_400_000, *BTC)]),
    ("the largest", 2**77, [(2**46, -(2**126), 2**78, 2**40, 1_000_000, 999_999)]),
]


def _legs(legs: list[Leg]) -> list[Json]:
    names = ("size", "q", "g", "indexPrice", "imfPpm", "mmfPpm")
    return [{name: str(value) for name, value in zip(names, leg, strict=True)} for leg in legs]


def margin() -> Json:
    accounts = []
    for name, cash, legs in CASH_AND_LEGS:
        equity, initial, maintenance = health(cash, legs)
        accounts.append(
            {
                "name": name,
                "cash": str(cash),
                "legs": _legs(legs),
                "equityScaled": _scaled(equity),
                "imScaled": _scaled(initial),
                "mmScaled": _scaled(maintenance),
                "withdrawable": str(max(0, min(cash, math.floor(equity - initial)))),
            }
        )
    third = Fraction(SCALE // 3, SCALE)
    tries: list[tuple[str, tuple[Fraction | int, int, int], tuple[Fraction | int, int, int]]] = [
        ("covered exactly", (0, 0, 0), (100, 100, 60)),
        ("short by the smallest part", (0, 0, 0), (100 - Fraction(1, SCALE), 100, 60)),
        ("a reduction that keeps the ratio", (30, 100, 60), (15, 50, 30)),
        ("a reduction that worsens it by the smallest part", (30, 100, 60), (15 - Fraction(1, SCALE), 50, 30)),
        ("no reduction, though richer", (30, 100, 60), (90, 100, 60)),
        ("a reduction of a bankrupt account that worsens the ratio", (-10, 100, 60), (-10, 50, 30)),
        ("a reduction of a bankrupt account that keeps it", (-10, 100, 60), (-5, 50, 30)),
        ("closed with a loss", (10, 100, 60), (-1, 0, 0)),
        ("closed at nothing", (10, 100, 60), (0, 0, 0)),
        ("closed below nothing", (-3, 100, 60), (-1, 0, 0)),
        ("a third kept", (third * 60, 100, 60), (third * 30, 50, 30)),
    ]
    changes = []
    for name, (e_0, im_0, mm_0), (e_1, im_1, mm_1) in tries:
        improves = mm_1 < mm_0 and e_1 * mm_0 >= e_0 * mm_1
        changes.append(
            {
                "name": name,
                "before": {"equityScaled": _scaled(e_0), "imScaled": _scaled(im_0), "mmScaled": _scaled(mm_0)},
                "after": {"equityScaled": _scaled(e_1), "imScaled": _scaled(im_1), "mmScaled": _scaled(mm_1)},
                "improves": improves,
                "allowed": e_1 >= im_1 or improves,
            }
        )
    return {"accounts": accounts, "changes": changes, "scaledImf": scaled_imf()}


def scaled_imf() -> list[Json]:
    """Bounds in units of 10,000 USDC."""
    unit = 10_000 * 10**6
    cases = [(50_000, 0, 0, 10**8, 9_500_000), (50_000, 100, 0, 10**8, 9_500_000), (50_000, 100, 300, 0, 9_500_000)]
    cases += [(50_000, 100, 300, 100 * unit, 1), (50_000, 100, 300, 100 * unit + 1, 1)]
    cases += [(50_000, 100, 300, 100 * unit + 2_105_263, 1), (50_000, 100, 300, 100 * unit + 2_105_264, 1)]
    cases += [
        (50_000, 100, 300, 200 * unit, 1),
        (50_000, 100, 300, 300 * unit - 1, 1),
        (50_000, 100, 300, 300 * unit, 1),
    ]
    cases += [
        (50_000, 0, 1, 2**46, 2**40),
        (1_000_000, 1, 2, 2**46, 2**40),
        (20_000, 2**20 - 2, 2**20 - 1, 10**9, 10**7),
    ]
    vectors = []
    for imf, lower, upper, interest, price in cases:
        scaled = Fraction(imf)
        if upper:
            above = max(0, interest * price - lower * unit)
            scaled = min(Fraction(PPM), imf + above * (PPM - imf) / Fraction((upper - lower) * unit))
        vectors.append(
            {
                "imfPpm": imf,
                "scaleFrom": lower,
                "scaleTo": upper,
                "openInterest": str(interest),
                "indexPrice": str(price),
                "scaledPpm": math.floor(scaled),
            }
        )
    return vectors


LIQUIDATIONS: list[tuple[str, int, int, list[Leg]]] = [
    # name, cash, floor in ppm, legs: the first one is taken over
    ("a hair below maintenance", 285_000_969, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_499_999, *BTC)]),
    ("a long at half health", 142_500_000, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    ("a short at half health", 142_500_000, 5_000, [(-1_000, opened(-1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    (
        "at the crossing of the two lines",
        171_000_000,
        5_000,
        [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)],
    ),
    ("near bankruptcy", 1_000_003, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    ("almost nothing left", 1, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    ("without a floor", 280_000_000, 0, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    ("dust would stay", 56_999, 5_000, [(2, opened(2, 9_500_000, 0), 0, 9_500_000, 50_000, 30_000)]),
    (
        "nine of ten lots would do, but one is dust",
        4_339_000,
        5_000,
        [
            (10, opened(10, 9_500_000, 0), 0, 9_500_000, *BTC),
            (10, opened(10, 9_500_000, 0), 0, 9_500_000, 31_000, 30_000),
        ],
    ),
    (
        "a small leg of a large account",
        300_000_000,
        5_000,
        [
            (-40, opened(-40, 3_000_000, 0), 0, 3_000_000, *ETH),
            (2_000, opened(2_000, 9_500_000, 10**10), 10**10 + 12_345, 9_500_001, *BTC),
        ],
    ),
    ("exactly nothing left", 0, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_500_000, *BTC)]),
    ("a bankrupt long", 10_000_000, 5_000, [(1_000, opened(1_000, 9_500_000, 0), 0, 9_400_000, *BTC)]),
    (
        "a bankrupt short beside another leg",
        10_000_001,
        5_000,
        [
            (-1_000, opened(-1_000, 9_400_000, 0), 0, 9_500_000, *BTC),
            (333, opened(333, 3_000_000, 7), 11, 2_999_999, *ETH),
        ],
    ),
]


def liquidation() -> list[Json]:
    vectors = []
    for name, cash, floor, legs in LIQUIDATIONS:
        equity, initial, maintenance = health(cash, legs)
        assert equity < maintenance, name
        size, _, _, price, imf, mmf = legs[0]
        held = abs(size)
        per_lot = 0
        most = held
        if equity > 0:
            h = equity / maintenance
            by_depth = math.floor(max(Fraction(floor), Fraction(3, 2) * (1 - h) * mmf))
            to_bankruptcy = math.floor(h * math.floor(Fraction(mmf * price, PPM)))
            per_lot = min(math.floor(Fraction(by_depth * price, PPM)), to_bankruptcy)
        insurance = math.floor(Fraction(per_lot, 4))
        relief = math.floor(Fraction(price * imf, PPM)) - per_lot
        if equity > 0 and relief > 0:
            lots = math.ceil((initial - equity) / relief)
            if lots < held and (held - lots) * price >= 10_000_000:
                most = lots
        direction = 1 if size > 0 else -1
        vector: Json = {
            "name": name,
            "cash": str(cash),
            "legs": _legs(legs),
            "floorPpm": floor,
            "equityScaled": _scaled(equity),
            "imScaled": _scaled(initial),
            "mmScaled": _scaled(maintenance),
            "perLot": str(per_lot),
            "insurancePerLot": str(insurance),
            "accountPrice": str(price - direction * per_lot),
            "liquidatorPrice": str(price - direction * (per_lot - insurance)),
            "maxSize": str(most),
        }
        if equity <= 0:
            half = held // 2
            vector["holes"] = [
                {"taken": str(taken), "hole": str(_hole(equity, maintenance, held, taken, price, mmf))}
                for taken in (1, half, held)
            ]
        vectors.append(vector)
    return vectors


def _hole(equity: Fraction, maintenance: int, held: int, taken: int, price: int, mmf: int) -> int:
    before = math.ceil(Fraction(held * price * mmf, PPM))
    after = math.ceil(Fraction((held - taken) * price * mmf, PPM))
    return math.ceil(-equity * (before - after) / maintenance)


# Words and calldata


def words() -> Json:
    details = [
        (1, 9_500_000, 10, 1, 0, 0, 350, 0, False),
        (2**64 - 1, 2**48 - 1, 2**48 - 1, 65_535, 65_535, 65_535, 32_767, 32_767, True),
        (77, 3_000_100, 5, 2, 3, 4, -32_768, -1, True),
        (78, 3_000_100, 5, 2, 3, 4, 350, -100, False),
    ]
    names = (
        "fillId price size market takerSubaccount makerSubaccount takerFeePpm makerFeePpm takerSold".split()  # noqa: SIM905
    )
    positions = [(0, 0, 0), (5, -(47_500_000 << 32), 0), (-5, 47_500_000 << 32, 1_764_547_200_000)]
    positions += [(0, -1, 7), (2**46, 2**126, 2**48 - 1), (-(2**46), -(2**126), 2**48 - 1)]
    slots = [
        (0, 0, 0, 0, 0),
        (1_764_547_200_000, 7, 12_345, 1_764_547_210, 2**88 - 1),
        (2**48 - 1, 65_535, 2**64 - 1, 2**40 - 1, 1),
    ]
    fills = [(1, 9_500_000, 10, 0, 1, 350, 0), (2**64 - 1, 2**48 - 1, 2**48 - 1, 255, 255, -32_768, 32_767)]
    fills += [(3, 9_500_000, 10, 63, 62, 350, -100)]
    keys: list[tuple[int, int, int, list[int]]] = [(1_796_083_200, 0, 10**12, []), (1_796_083_200, 0, 5, [2])]
    keys += [(1_764_547_260, 1_764_547_230, 0, [1, 2]), (2**32 - 1, 2**40 - 1, 2**64 - 1, [1, 2, 65_535, 3])]
    fill_names = "fillId price size taker maker takerFeePpm makerFeePpm".split()  # noqa: SIM905
    return {
        "details": [
            dict(zip(names, map(_text, detail), strict=True))
            | {
                "word": hex_word(
                    word(*zip(detail[:8], (64, 48, 48, 16, 16, 16, 16, 16), strict=True), (int(detail[8]), 16))
                )
            }
            for detail in details
        ],
        "positions": [
            {
                "size": str(size),
                "q": str(q),
                "oneShotMs": str(one_shot),
                "word": hex_word(word((size, 64), (q, 128), (one_shot, 48), (0, 16))),
            }
            for size, q, one_shot in positions
        ],
        "slots": [
            {
                "generation": str(slot[0]),
                "revision": str(slot[1]),
                "filled": str(slot[2]),
                "cancel": str(slot[3]),
                "tag": str(slot[4]),
                "word": hex_word(word(*zip(slot, (48, 16, 64, 40, 88), strict=True))),
            }
            for slot in slots
        ],
        "keys": [_key_word(*key) for key in keys],
        "tiers": [
            {
                "volume": str(volume),
                "takerPpm": taker,
                "makerPpm": maker,
                "word": hex_word(word((0, 160), (volume, 64), (taker, 16), (maker, 16))),
            }
            for volume, taker, maker in ((0, 350, 0), (25_000_000, 300, -20), (2**64 - 1, 10_000, -10_000))
        ],
        "flags": [
            {"flags": flags, "word": hex_word(word((7, 64), (0, 48), (0, 48), (0, 48), (flags, 16), (0, 32)))}
            for flags in (1, 2)
        ],
        "fills": [
            dict(zip(fill_names, map(_text, fill), strict=True))
            | {"word": hex_word(word(*zip(fill, (64, 48, 48, 8, 8, 16, 16), strict=True), (0, 48)))}
            for fill in fills
        ],
    }


def _key_word(expiry: int, revoked: int, budget: int, ids: list[int]) -> Json:
    scope = 0
    for market in ids:
        scope = scope * 2**16 + market
    return {
        "expiry": str(expiry),
        "revokedAt": str(revoked),
        "budget": str(budget),
        "markets": ids,
        "packedMarkets": hex_word(scope),
        "word": hex_word(word((expiry, 40), (revoked, 40), (budget, 64), (scope, 64), (0, 48))),
    }


def _text(value: int | bool) -> Any:
    return value if isinstance(value, bool) else str(value)


def settle(order_vectors: list[Json], fill_vectors: list[Json]) -> list[Json]:
    """Calldata word by word: head with offsets, then the two arrays."""
    selector = keccak(text="settle(bytes32,bytes32,(uint256,uint256,uint256,uint256)[],uint256[])")[:4]
    prev, next_ = bytes(32), keccak(text="the next head of the journal")
    vectors = []
    for name, orders_, fills in (
        ("an empty batch", [], []),
        ("one fill", order_vectors[:2], fill_vectors[:1]),
        ("several", order_vectors, fill_vectors),
    ):
        order_words_ = [order[field] for order in orders_ for field in ("terms", "amounts", "r", "vs")]
        fill_words = [fill["word"] for fill in fills]
        first, second = 4 * 32, 4 * 32 + 32 * (1 + len(order_words_))
        numbers = [first, second, len(orders_), *(int(w, 16) for w in order_words_)]
        numbers += [len(fills), *(int(w, 16) for w in fill_words)]
        body = prev + next_ + b"".join(number.to_bytes(32, "big") for number in numbers)
        vectors.append(
            {
                "name": name,
                "prev": "0x" + prev.hex(),
                "next": "0x" + next_.hex(),
                "orders": [[order["terms"], order["amounts"], order["r"], order["vs"]] for order in orders_],
                "fills": fill_words,
                "calldata": "0x" + (selector + body).hex(),
            }
        )
        prev = next_
    return vectors


def everything() -> dict[str, Any]:
    """Every file's name and contents."""
    order_file, word_file = orders(), words()
    return {
        "orders": order_file,
        "messages": messages(),
        "receipts": receipts(),
        "fees": fees(),
        "referrals": referrals(),
        "funding": funding(),
        "margin": margin(),
        "liquidation": liquidation(),
        "words": word_file,
        "settle": settle(order_file["orders"], word_file["fills"]),
    }


def as_text(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file_name, content in everything().items():
        (FOLDER / f"{file_name}.json").write_text(as_text(content))
