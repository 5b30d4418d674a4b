# SPDX-License-Identifier: AGPL-3.0-only
"""One reader of the bench's chain in a process of its own; prints what it took as JSON.

    python -m bench.indexing_worker index RPC_URL DEPLOYMENT DATABASE_URL
    python -m bench.indexing_worker decode LOGS.json
    python -m bench.indexing_worker web3 LOGS.json

Timed is the work alone: no imports, no migrations, and for the decoders no node.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from hexbytes import HexBytes
from sqlalchemy import func, select
from web3 import Web3
from web3.datastructures import AttributeDict

from indexer import logs
from indexer.store.schema import FACT, tables_of
from ouro import abi, events
from tests.integration.indexer.index import Index

_ENOUGH_FOR_WEB3 = 3_000


def index(rpc_url: str, deployment: str, database_url: str) -> dict[str, Any]:
    """All of the chain into an empty database that has its tables."""
    follower = Index(rpc_url, json.loads(Path(deployment).read_text()), database_url)
    before = _memory()
    wall, cpu = time.perf_counter(), time.process_time()
    follower.sync()
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    with follower.engine.begin() as connection:
        rows = sum(connection.scalar(select(func.count()).select_from(table)) for table in tables_of(FACT))
    height = follower.follower.position.number
    follower.close()
    return {**took, "height": height, "facts": rows, "memory_before_mib": before, "memory_most_mib": _memory()}


def decode(found: list[dict[str, Any]]) -> dict[str, Any]:
    """`ouro.events`, as the indexer calls it, on logs as the node answers them."""
    for log in found[:500]:
        events.decode_log(log)
    wall, cpu = time.perf_counter(), time.process_time()
    for log in found:
        events.decode_log(log)
    return {"logs": len(found), "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def web3(found: list[dict[str, Any]]) -> dict[str, Any]:
    """web3's `process_log`, told which event each log is, on logs as web3 gives them."""
    kinds: dict[HexBytes, Any] = {}
    node = Web3()
    for name in ("Exchange", "Vault", "PushedOracle"):
        contract = node.eth.contract(abi=abi.load(name))
        for entry in abi.load(name):
            if entry["type"] == "event":
                kind = contract.events[entry["name"]]()
                kinds[HexBytes(node.keccak(text=kind.signature))] = kind
    given = [_as_web3(log) for log in found[:_ENOUGH_FOR_WEB3]]
    for log in given[:200]:
        kinds[log["topics"][0]].process_log(log)
    wall, cpu = time.perf_counter(), time.process_time()
    for log in given:
        kinds[log["topics"][0]].process_log(log)
    return {"logs": len(given), "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def _as_web3(log: dict[str, Any]) -> Any:
    numbers = {name: int(log[name], 16) for name in ("blockNumber", "logIndex", "transactionIndex")}
    hashes = {name: HexBytes(log[name]) for name in ("blockHash", "transactionHash", "data")}
    topics = [HexBytes(topic) for topic in log["topics"]]
    address = Web3.to_checksum_address(log["address"])
    return AttributeDict({**log, **numbers, **hashes, "topics": topics, "address": address})


def _memory() -> float:
    """The most that this process has had so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    logs.configure("error")
    what, *arguments = sys.argv[1:]
    if what == "index":
        result = index(*arguments)
    else:
        result = {"decode": decode, "web3": web3}[what](json.loads(Path(arguments[0]).read_text()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
