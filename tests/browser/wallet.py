# SPDX-License-Identifier: AGPL-3.0-only
"""The wallet behind `wallet.js`: holds a key, signs what it is asked to, sends real transactions to the chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from playwright.sync_api import BrowserContext, Page

CHAIN_ID = 31_337
SCRIPT = Path(__file__).with_name("wallet.js")

_REJECTED = {"code": 4001, "message": "User rejected the request."}


class RequestError(Exception):
    """What a wallet answers instead of a result (EIP-1193)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Wallet:
    """One account of one person. `asked` is what pages wanted of it: method and parameters."""

    def __init__(self, rpc_url: str, account: LocalAccount | None = None) -> None:
        self.account: LocalAccount = account or Account.create()
        self.chain_id = CHAIN_ID
        self.asked: list[tuple[str, Any]] = []
        self.reject: set[str] = set()
        #: Whether its person says no to one request of that method.
        self.refuses: Callable[[str], bool] = lambda _method: False
        self._knows_chain = True
        self._http = httpx.Client(base_url=rpc_url, timeout=120)
        self._page: Page | None = None

    @property
    def address(self) -> str:
        return str(self.account.address)

    def close(self) -> None:
        self._http.close()

    def put_into(self, context: BrowserContext) -> None:
        """From now on every page of the context finds this wallet."""
        context.expose_function("__testWallet", self._answer)
        context.add_init_script(path=SCRIPT)

    def serve(self, page: Page) -> None:
        """The page that hears of changes."""
        self._page = page

    def on_chain(self, chain_id: int, *, knows: bool = True) -> None:
        """The person switches the wallet to another chain. `knows`: whether it has heard of ours."""
        self.chain_id, self._knows_chain = chain_id, knows
        self._emit("chainChanged", hex(chain_id))

    def change_account(self, account: LocalAccount) -> None:
        """The person chooses another account."""
        self.account = account
        self._emit("accountsChanged", [self.address])

    def signed(self) -> list[dict[str, Any]]:
        """The typed data that it was asked to sign."""
        return [json.loads(parameters[1]) for method, parameters in self.asked if method == "eth_signTypedData_v4"]

    def rpc(self, method: str, *parameters: Any) -> Any:
        """A call to the chain's node. Raises `RequestError`."""
        answer = self._http.post("", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).json()
        if "error" in answer:
            raise RequestError(int(answer["error"].get("code", -32_000)), str(answer["error"]["message"]))
        return answer["result"]

    def _emit(self, event: str, value: Any) -> None:
        if self._page is not None:
            self._page.evaluate("([event, value]) => window.__testWalletEmit(event, value)", [event, value])

    def _answer(self, method: str, parameters: str) -> dict[str, Any]:
        wanted = json.loads(parameters)
        self.asked.append((method, wanted))
        if method in self.reject or self.refuses(method):
            return {"error": _REJECTED}
        try:
            return {"result": self._do(method, wanted)}
        except RequestError as error:
            return {"error": {"code": error.code, "message": str(error)}}

    def _do(self, method: str, parameters: list[Any]) -> Any:
        match method:
            case "eth_requestAccounts" | "eth_accounts":
                return [self.address.lower()]
            case "eth_chainId":
                return hex(self.chain_id)
            case "wallet_addEthereumChain":
                self._knows_chain = True
                return None
            case "wallet_switchEthereumChain":
                return self._switch(int(parameters[0]["chainId"], 16))
            case "personal_sign":
                message = encode_defunct(hexstr=parameters[0])
                return "0x" + bytes(self.account.sign_message(message).signature).hex()
            case "eth_signTypedData_v4":
                return self._sign_typed(parameters)
            case "eth_sendTransaction":
                return self._send(parameters[0])
            case _:
                return self.rpc(method, *parameters)

    def _switch(self, chain_id: int) -> None:
        if not self._knows_chain:
            raise RequestError(4902, f"Unrecognized chain ID {hex(chain_id)}. Try adding the chain first.")
        self.on_chain(chain_id)

    def _sign_typed(self, parameters: list[Any]) -> str:
        self._own(parameters[0])
        data = json.loads(parameters[1])
        if int(data["domain"]["chainId"]) != self.chain_id:
            raise RequestError(-32_602, f"the domain is of chain {data['domain']['chainId']}, not {self.chain_id}")
        return "0x" + bytes(self.account.sign_typed_data(full_message=data).signature).hex()

    def _send(self, transaction: dict[str, Any]) -> str:
        self._own(transaction["from"])
        if self.chain_id != CHAIN_ID:
            raise RequestError(-32_602, "this chain has nobody who would take it")
        filled = {
            "to": to_checksum_address(transaction["to"]),
            "data": transaction.get("data", transaction.get("input", "0x")),
            "value": int(transaction.get("value", "0x0"), 16),
            "chainId": self.chain_id,
            "nonce": int(self.rpc("eth_getTransactionCount", self.address, "pending"), 16),
            "gas": int(self.rpc("eth_estimateGas", transaction), 16) * 14 // 10,
            "maxPriorityFeePerGas": 10**9,
            "maxFeePerGas": int(self.rpc("eth_gasPrice"), 16) * 2 + 10**9,
        }
        raw = bytes(self.account.sign_transaction(filled).raw_transaction)
        return str(self.rpc("eth_sendRawTransaction", "0x" + raw.hex()))

    def _own(self, address: str) -> None:
        if address.lower() != self.address.lower():
            raise RequestError(4100, f"{address} is not the account of this wallet")
