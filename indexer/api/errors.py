# SPDX-License-Identifier: AGPL-3.0-only
"""Answers that say no: `{"errors": [{"msg", "param", "location"}], "errorCode"}`."""

from typing import Any

from ouro.reading import HEADER, ProofError


class ApiError(Exception):
    """A request that cannot be answered. `code` is stable, `message` is for people, `param` names what was wrong."""

    def __init__(self, status: int, code: str, message: str, param: str = "", location: str = "query") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.location = location

    def body(self) -> dict[str, Any]:
        where = {"param": self.param, "location": self.location} if self.param else {}
        return {"errors": [{"msg": self.message, **where}], "errorCode": self.code}


def bad_parameter(name: str, message: str) -> ApiError:
    return ApiError(400, "bad_parameter", message, name)


def unknown_market(ticker: str, known: "list[str]", location: str = "query") -> ApiError:
    listed = ", ".join(known) or "none yet"
    return ApiError(404, "unknown_market", f"no market is called {ticker}; listed are: {listed}", "ticker", location)


def bad_proof(error: ProofError) -> ApiError:
    """`read_proof_expired` when signing a new one is all that is needed."""
    code = "read_proof_expired" if error.expired else "bad_read_proof"
    return ApiError(401, code, str(error), HEADER, "headers")
