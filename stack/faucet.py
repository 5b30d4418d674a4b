# SPDX-License-Identifier: AGPL-3.0-only
"""The local stack's faucet: a little ETH for gas and test USDC for whoever asks, so often an hour.

    python -m stack.faucet --rpc-url http://127.0.0.1:8545 --deployment .ouro/deployment.json --port 8002

`POST /v4/faucet` with `{"address": "0x..."}` answers when both are in a block. The front door passes it on.
"""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer
import uvicorn
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from web3 import Web3
from web3.types import Nonce, TxParams

from ouro import abi
from ouro.deployment import Deployment
from ouro.units import MICRO
from stack.node import CHAIN_ID
from stack.ports import HOST
from stack.process import CHAIN_TROUBLE, log_to_stdout
from stack.wallets import Role, wallet

log = logging.getLogger("faucet")

ETH = 1
USDC = 10_000
PER_ADDRESS = 3
PER_HOUR = 500
"""Of all addresses together: the wallet holds 10,000 ETH."""

_HOUR_S = 3_600.0
_PRIORITY_FEE_WEI = 10**9
_TRANSFER_GAS = 21_000
_MINT_GAS = 120_000
_RECEIPT_S = 30.0
_MAX_BODY = 1_000


class Limit:
    """So many times an hour for each name, and so many for all of them."""

    def __init__(self, each: int, everyone: int, now: Callable[[], float] = time.monotonic) -> None:
        self._each = each
        self._everyone = everyone
        self._now = now
        self._given: defaultdict[str, deque[float]] = defaultdict(deque)
        self._all: deque[float] = deque()

    def wait_s(self, name: str) -> int:
        """Seconds until `name` may have another one; 0: now."""
        now = self._now()
        waits = [0.0]
        for given, most in ((self._given[name], self._each), (self._all, self._everyone)):
            while given and given[0] <= now - _HOUR_S:
                given.popleft()
            if len(given) >= most:
                waits.append(given[0] + _HOUR_S - now)
        if not self._given[name]:
            del self._given[name]
        return -int(-max(waits) // 1)

    def note(self, name: str) -> None:
        """One is given to `name`."""
        self._given[name].append(self._now())
        self._all.append(self._now())


class RefusedError(Exception):
    """What is not given, as status, code and a sentence."""

    def __init__(self, status: int, code: str, message: str, retry_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_s = retry_s

    def answer(self) -> Response:
        """In the shape of the front door's errors."""
        headers = {"Retry-After": str(self.retry_s)} if self.retry_s else {}
        return _json({"errors": [{"msg": self.message}], "errorCode": self.code}, self.status, headers)


class Faucet:
    """Sends from one wallet that nobody else uses."""

    def __init__(self, web3: Web3, token: str, giver: LocalAccount, limit: Limit) -> None:
        self._web3 = web3
        self._token = web3.eth.contract(address=to_checksum_address(token), abi=abi.load("TestUSDC"))
        self._giver = giver
        self._limit = limit
        self._lock = threading.Lock()

    def give(self, address: str) -> dict[str, str]:
        """Both kinds of money to `address`; returns when they are in a block. Raises `RefusedError`."""
        owner = to_checksum_address(address)
        with self._lock:
            wait_s = self._limit.wait_s(owner)
            if wait_s:
                raise RefusedError(
                    429,
                    "faucet_limit",
                    f"the faucet gives {PER_ADDRESS} times an hour to one address and {PER_HOUR} times in all: "
                    f"ask again in {-(-wait_s // 60)} minutes",
                    wait_s,
                )
            nonce = self._web3.eth.get_transaction_count(self._giver.address, "pending")
            # Before anything is sent: what fails half-way has given half.
            self._limit.note(owner)
            mint = self._token.encode_abi("mint", [owner, USDC * MICRO])
            sent = [
                self._send(
                    {"to": owner, "value": Web3.to_wei(ETH, "ether"), "gas": _TRANSFER_GAS, "nonce": Nonce(nonce)}
                ),
                self._send({"to": self._token.address, "data": mint, "gas": _MINT_GAS, "nonce": Nonce(nonce + 1)}),
            ]
        for hash_ in sent:
            self._web3.eth.wait_for_transaction_receipt(hash_, timeout=_RECEIPT_S, poll_latency=0.1)
        return {
            "address": owner,
            "eth": str(ETH),
            "usdc": str(USDC),
            "ethTransaction": sent[0].to_0x_hex(),
            "usdcTransaction": sent[1].to_0x_hex(),
        }

    def _send(self, fields: TxParams) -> Any:
        base = int(self._web3.eth.get_block("latest")["baseFeePerGas"])
        transaction: TxParams = {
            **fields,
            "chainId": CHAIN_ID,
            "maxFeePerGas": Web3.to_wei(base * 2 + _PRIORITY_FEE_WEI, "wei"),
            "maxPriorityFeePerGas": Web3.to_wei(_PRIORITY_FEE_WEI, "wei"),
        }
        signed = self._giver.sign_transaction(cast(dict[str, Any], transaction))
        return self._web3.eth.send_raw_transaction(signed.raw_transaction)


def create_app(faucet: Faucet) -> Starlette:
    """The one route, and `/ready`."""

    async def give(request: Request) -> Response:
        try:
            address = wanted(await request.body())
            given = await run_in_threadpool(faucet.give, address)
        except RefusedError as refused:
            return refused.answer()
        except CHAIN_TROUBLE as error:
            log.warning("not given: %s", error)
            return RefusedError(503, "faucet_unavailable", f"the chain does not take it: {error}", 5).answer()
        log.info("gave to %s", given["address"])
        return _json(given)

    async def ready(_request: Request) -> Response:
        return _json({"status": "ready"})

    return Starlette(routes=[Route("/v4/faucet", give, methods=["POST"]), Route("/ready", ready)])


def wanted(body: bytes) -> str:
    """The address in a request's body. Raises `RefusedError`."""
    problem = 'the body is {"address": "0x..."} with the 40 hex digits of an account\'s address'
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])["address"] if len(body) <= _MAX_BODY else None
    except (msgspec.DecodeError, KeyError):
        found = None
    if not isinstance(found, str) or not Web3.is_address(found) or not found.startswith("0x"):
        raise RefusedError(400, "bad_parameter", problem)
    return found


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def main(
    rpc_url: Annotated[str, typer.Option(help="Node of the local chain.")],
    deployment: Annotated[Path, typer.Option(help="Deployment record.")],
    port: Annotated[int, typer.Option(help="Port to listen on.")],
) -> None:
    """Serve until SIGTERM."""
    log_to_stdout()
    web3 = Web3(Web3.HTTPProvider(rpc_url))
    if web3.eth.chain_id != CHAIN_ID:
        raise typer.BadParameter(f"the faucet is for the local chain ({CHAIN_ID}), this is {web3.eth.chain_id}")
    token = Deployment.load(deployment).contracts.usdc
    faucet = Faucet(web3, token, wallet(Role.FAUCET), Limit(PER_ADDRESS, PER_HOUR))
    uvicorn.run(create_app(faucet), host=HOST, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    typer.run(main)
