# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that wait are for their owner alone: the proof, and every way in which it may be none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from sqlalchemy import Engine, insert, update

from indexer.api.errors import ApiError
from indexer.orders.records import decode_record
from indexer.store import schema
from indexer.store.chain_store import ChainStore
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.store.order_store import OrderStore
from indexer.stream import proofs
from indexer.stream.hub import Hub, Session, Stamp, Update
from indexer.stream.snapshots import snapshot
from ouro.deployment import Deployment
from ouro.eip712 import Domain, typed_data
from ouro.reading import ProofError, ReadProof
from tests.unit.client.conftest import CONFIG
from tests.unit.indexer.front import Front, context_over
from tests.unit.indexer.market import played
from tests.unit.indexer.test_orders import order

DEPLOYMENT = Deployment.from_record(CONFIG)
DOMAIN = DEPLOYMENT.domain()
OWNER: LocalAccount = Account.from_key("0x" + "a1" * 32)
STRANGER: LocalAccount = Account.from_key("0x" + "b2" * 32)
KEY: LocalAccount = Account.from_key("0x" + "c3" * 32)
REVOKED: LocalAccount = Account.from_key("0x" + "d4" * 32)
OVER: LocalAccount = Account.from_key("0x" + "e5" * 32)
ID = "0x" + "0a" * 32
DOOR = ("v4_subaccounts", f"{OWNER.address}/0")


def owned(line: bytes) -> bytes:
    """The order of `line`, as the owner's."""
    record = msgspec.json.decode(line)
    record["order"] |= {"account": OWNER.address, "signer": OWNER.address}
    return msgspec.json.encode(record)


WAITS: dict[str, Any] = {
    "status": "UNTRIGGERED",
    "private": True,
    "type": "STOP_MARKET",
    "trigger": "AT_OR_BELOW",
    "trigger_price": 1_900_000,
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("owners")
    engine = open_engine(f"sqlite:///{folder / 'index.sqlite'}", writes=True)
    migrate(engine)
    ChainStore(engine, "31337:0xaa", 1).open()
    played(engine, seed=5, steps=5)
    store = OrderStore(engine)
    lines = [owned(order(1, ID, **WAITS)), owned(order(2, "0x" + "0b" * 32))]
    store.apply([decode_record(line) for line in lines], lines[-1], store.open())
    far = int(time.time()) + 10**6
    with engine.begin() as connection:
        for key, expiry, revoked_at in ((KEY, far, None), (REVOKED, far, far), (OVER, int(time.time()) - 10, None)):
            row = {"owner": OWNER.address, "key": key.address, "markets": "", "budget": 1, "nonce": 1}
            connection.execute(insert(schema.session_keys), [{**row, "expiry": expiry, "revoked_at": revoked_at}])
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def front(engine: Engine) -> Front:
    return Front(engine, DEPLOYMENT)


def proof(key: LocalAccount, ahead_s: int = 600, account: str = OWNER.address, domain: Domain = DOMAIN) -> str:
    return until(key, int(time.time()) + ahead_s, account, domain)


def until(key: LocalAccount, expiry: int, account: str = OWNER.address, domain: Domain = DOMAIN) -> str:
    """As a wallet makes it, from the JSON that it is shown."""
    document = typed_data(domain, "ReadAccount", {"account": account, "expiry": expiry})
    signature = key.sign_message(encode_typed_data(full_message=document)).signature
    return f"{expiry}:0x{bytes(signature).hex()}"


def asked(front: Front, text: str | None, path: str = "/v4/orders", **query: Any) -> Any:
    headers = {} if text is None else {"Ouro-Read": text}
    whose = {"address": OWNER.address.lower(), "subaccountNumber": 0} if path == "/v4/orders" else {}
    return front.answer(path, whose | query, headers)


@pytest.mark.parametrize("key", [OWNER, KEY], ids=["owner", "session key"])
def test_who_proves_it_sees_orders_that_wait(front: Front, key: LocalAccount) -> None:
    answer = asked(front, proof(key))
    assert [(each["id"], each["status"]) for each in answer.json()] == [
        ("0x" + "0b" * 32, "OPEN"),
        (ID, "UNTRIGGERED"),
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert "Ouro-Read" in answer.headers["vary"]
    assert asked(front, proof(key), f"/v4/orders/{ID}").json()["triggerPrice"] == "19000"
    assert [each["id"] for each in asked(front, proof(key), clientId="7", status="UNTRIGGERED").json()] == [ID]
    assert asked(front, proof(key), clientId="8").json() == []


def test_without_a_proof_they_are_absent(front: Front) -> None:
    answer = asked(front, None)
    assert [each["id"] for each in answer.json()] == ["0x" + "0b" * 32]
    assert "Ouro-Read" in answer.headers["vary"]
    assert asked(front, None, clientId="7", status="UNTRIGGERED").json() == []
    assert asked(front, None, f"/v4/orders/{ID}").status_code == 404


def test_what_waits_is_told_to_nobody_by_any_route(front: Front) -> None:
    parts = {"order_id": ID, "ticker": "BTC-USD", "address": OWNER.address, "subaccountNumber": "0", "number": "0"}
    whose = {"address": OWNER.address, "subaccountNumber": 0, "parentSubaccountNumber": 0}
    answered = 0
    for template, path in front.reads(parts):
        for query in (
            {},
            whose,
            whose | {"format": "csv"},
            whose | {"status": "UNTRIGGERED"},
            whose | {"clientId": "7"},
        ):
            answer = front.answer(path, query)
            asked_for = path + str(query)
            assert answer.status_code < 500 or path == "/ready", asked_for
            found = answer.text.replace(path.rpartition("/")[2], "") if "order_id" in template else answer.text
            assert ID not in found, asked_for
            assert '"UNTRIGGERED"' not in found, asked_for
            answered += answer.status_code == 200
    assert answered > 60


OTHER_CHAIN = Domain(1, DOMAIN.verifying_contract)
OTHER_CONTRACT = Domain(DOMAIN.chain_id, "0x" + "77" * 20)
BAD = {
    "a stranger's": lambda: proof(STRANGER),
    "the owner's for another account": lambda: proof(OWNER, account=STRANGER.address),
    "a stranger's for his own account": lambda: proof(STRANGER, account=STRANGER.address),
    "of another chain": lambda: proof(OWNER, domain=OTHER_CHAIN),
    "of another contract": lambda: proof(OWNER, domain=OTHER_CONTRACT),
    "a revoked key's": lambda: proof(REVOKED),
    "an expired key's": lambda: proof(OVER),
    "with another expiry than signed": lambda: str(int(time.time()) + 30) + ":" + proof(OWNER).split(":")[1],
    "with a high s": lambda: malleated(proof(OWNER)),
}
FORMLESS = {
    "expired": lambda: proof(OWNER, -1),
    "good for more than a day": lambda: proof(OWNER, 86_500),
    "good for ever": lambda: proof(OWNER, 2**32 - 1 - int(time.time())),
    "empty": lambda: "",
    "no signature": lambda: "5",
    "no number": lambda: "-5:0x00",
    "a number of many digits": lambda: "9" * 140 + ":0x00",
    "no hex": lambda: f"{int(time.time()) + 5}:0xzz",
    "too long": lambda: f"{int(time.time()) + 5}:0x{'00' * 1_000}",
}


def malleated(text: str) -> str:
    """The other signature of the same key over the same digest, which wallets never make."""
    expiry, signature = text.split(":")
    raw = bytes.fromhex(signature[2:])
    order_n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order_n - int.from_bytes(raw[32:64], "big")
    return f"{expiry}:0x{(raw[:32] + s.to_bytes(32, 'big') + bytes([55 - raw[64]])).hex()}"


@pytest.mark.parametrize("name", [*BAD, *FORMLESS])
def test_a_proof_that_proves_nothing_is_refused(engine: Engine, front: Front, name: str) -> None:
    text = (BAD | FORMLESS)[name]()
    answer = asked(front, text)
    body = answer.json()
    assert answer.status_code == 401, name
    assert body["errorCode"] == ("read_proof_expired" if name == "expired" else "bad_read_proof")
    assert (body["errors"][0]["param"], body["errors"][0]["location"]) == ("Ouro-Read", "headers")
    assert answer.headers["cache-control"] == "no-store"
    with pytest.raises(ApiError) as refused:
        asyncio.run(snapshot(context_over(engine, DEPLOYMENT), DOOR, text))
    assert refused.value.status == 401


@pytest.mark.parametrize("name", BAD)
def test_a_hidden_order_looks_like_none_to_others(front: Front, name: str) -> None:
    """The answer must not tell whether an order of that id waits."""
    text = BAD[name]()
    hidden, absent = (asked(front, text, f"/v4/orders/{id_}") for id_ in (ID, "0x" + "0c" * 32))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.replace(ID, "") == absent.text.replace("0x" + "0c" * 32, "")


@pytest.mark.parametrize("name", FORMLESS)
def test_a_proof_without_form_is_refused_by_id_too(front: Front, name: str) -> None:
    assert asked(front, FORMLESS[name](), f"/v4/orders/{ID}").status_code == 401


def test_a_snapshot_is_the_owners_only_with_a_proof(engine: Engine) -> None:
    context = context_over(engine, DEPLOYMENT)
    for channel in ("v4_subaccounts", "v4_parent_subaccounts"):
        key = (channel, f"{OWNER.address}/0")
        mine, theirs = (asyncio.run(snapshot(context, key, text)) for text in (proof(OWNER), None))
        if channel == "v4_subaccounts":
            assert [each["status"] for each in mine.contents["orders"]] == ["OPEN", "UNTRIGGERED"]
            assert [each["status"] for each in theirs.contents["orders"]] == ["OPEN"]
        assert mine.reader is not None
        assert mine.reader.signer == OWNER.address
        assert theirs.reader is None


def test_updates_for_the_owner_reach_nobody_else_and_end_with_the_key(engine: Engine) -> None:
    async def scene() -> None:
        context, hub = context_over(engine, DEPLOYMENT), Hub()
        sessions = {}
        for name, text in (("key", proof(KEY)), ("owner", proof(OWNER)), ("nobody", None)):
            session = sessions[name] = Session()
            hub.join(session)
            hub.subscribe(session, DOOR, batched=False)
            found = await snapshot(context, DOOR, text)
            hub.started(session, DOOR, found.contents, found.positions, found.reader)
        hub.publish([Update(*DOOR, None, Stamp("outbox", 9), {}, {"orders": ["secret"]})])
        hub.publish([Update(*DOOR, {"orders": ["known"]}, Stamp("outbox", 10), {}, {"orders": ["secret", "known"]})])
        await proofs.check(hub, context)
        assert said(sessions["nobody"]) == [("channel_data", ["known"])]
        for name in ("key", "owner"):
            assert said(sessions[name]) == [("channel_data", ["secret"]), ("channel_data", ["secret", "known"])]

        table = schema.session_keys
        with engine.begin() as connection:
            connection.execute(update(table).where(table.c.key == KEY.address).values(revoked_at=5))
        await proofs.check(hub, context)
        hub.publish([Update(*DOOR, None, Stamp("outbox", 11), {}, {"orders": ["later"]})])
        assert said(sessions["owner"]) == [("channel_data", ["later"])]
        assert [kind for kind, _ in said(sessions["key"])] == ["error"]
        assert DOOR not in sessions["key"].subscriptions
        with engine.begin() as connection:
            connection.execute(update(table).where(table.c.key == KEY.address).values(revoked_at=None))

    asyncio.run(scene())


def said(session: Session) -> list[tuple[str, Any]]:
    """What was sent since the snapshot: kinds and orders."""
    found = []
    while not session.outgoing.empty():
        message = msgspec.json.decode(session.outgoing.get_nowait() or b"")
        if message["type"] != "subscribed":
            found.append((message["type"], message.get("contents", {}).get("orders")))
    return found


def test_the_sdks_proof_is_the_wallets() -> None:
    expiry = int(time.time()) + 60
    made = ReadProof.sign(DOMAIN, OWNER.address, expiry, bytes(OWNER.key))
    assert str(made) == until(OWNER, expiry)
    assert ReadProof.parse(str(made)) == made
    assert made.signer(DOMAIN, OWNER.address) == OWNER.address
    with pytest.raises(ProofError, match="expired"):
        made.check_time(expiry + 1)
