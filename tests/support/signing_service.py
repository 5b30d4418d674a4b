# SPDX-License-Identifier: AGPL-3.0-only
"""A signing service over HTTP for tests, as web3signer and clef are: the key is in there and nowhere else."""

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

CHAIN_ID = 31_337


class SigningService:
    """Signs as web3signer and clef do, with eth_account; `change` may alter what it is asked, `reply` what it says."""

    def __init__(self, key: LocalAccount) -> None:
        self.key = key
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: asked
        self.reply: Callable[[Any], Any] = lambda answer: answer
        self.asked: list[str] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append(request["method"])
                answer = service.reply({"jsonrpc": "2.0", "id": request["id"], **service.sign(request)})
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://user:a-secret@127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def sign(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["method"] == "eth_signTypedData":
            address, typed = request["params"]
            if address != self.key.address:
                return {"error": {"code": -32000, "message": "no such key"}}
            signed = self.key.sign_message(encode_typed_data(full_message=typed))
            return {"result": "0x" + bytes(signed.signature).hex()}
        asked = dict(request["params"][0])
        fields = {**self.change(asked), "type": 2, "chainId": CHAIN_ID}
        fields.pop("from")
        return {"result": "0x" + bytes(self.key.sign_transaction(fields).raw_transaction).hex()}
