# SPDX-License-Identifier: AGPL-3.0-only
"""The reference of the intake bench: an order endpoint as a stock FastAPI application with pydantic models has it.

It checks the same signatures with the same functions, and stores nothing.
"""

import sys

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from ouro import eip712
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class OrderBody(Camel):
    market: str
    side: Side
    size: int
    limit_price: int
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    trigger: Trigger
    trigger_price: int
    max_fee_ppm: int
    expiry: int
    account: str
    subaccount: int
    self_trade: SelfTrade
    slot: int
    generation: int
    revision: int
    referrer: int


class PlaceBody(Camel):
    order: OrderBody
    signature: str
    client_id: str


class Verdict(Camel):
    valid: bool
    expected_signer: str
    recovered: str
    digest: str
    reason: str


def create_app(domain: eip712.Domain) -> FastAPI:
    """One endpoint. It is `async`, which is the faster form for work this short."""
    app = FastAPI()

    @app.post("/v4/orders/verify", response_model=Verdict)
    async def verify(body: PlaceBody) -> Verdict:
        order = Order(**{name: getattr(body.order, name) for name in OrderBody.model_fields})
        digest = eip712.order_digest(domain, order)
        recovered = eip712.recover(digest, bytes.fromhex(body.signature[2:]))
        if recovered != order.account:
            raise HTTPException(401, "wrong signer")
        return Verdict(
            valid=True, expected_signer=order.account, recovered=recovered, digest="0x" + digest.hex(), reason=""
        )

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(eip712.Domain(31_337, sys.argv[1])), port=int(sys.argv[2]), log_level="warning")
