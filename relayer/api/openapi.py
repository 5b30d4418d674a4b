# SPDX-License-Identifier: AGPL-3.0-only
"""The API's description (OpenAPI 3.1): routes, bodies, answers, errors, from the types that decode and encode them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ouro import eip712
from ouro.orders import SelfTrade, Side, TimeInForce, Trigger
from relayer.api import answers, bodies
from relayer.api.verifying import Verdict

Schema = dict[str, Any]

HEX32 = {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$", "description": "one case throughout, or checksummed"}
SIGNATURE = {"type": "string", "pattern": "^(0x)?[0-9a-fA-F]{130}$", "description": "65 bytes: r, s, v"}
LABEL = {"type": "string", "maxLength": bodies.MAX_LABEL, "description": "printable characters"}
DIGITS = "^[0-9]{1,78}$"

_WORDS = {"side": Side, "timeInForce": TimeInForce, "trigger": Trigger, "selfTrade": SelfTrade}
_MESSAGES = {
    "order": "Order",
    "cancel": "CancelOrder",
    "cancelByClientId": "CancelByClientId",
    "cancelAll": "CancelAll",
    "cancelAllAfter": "CancelAllAfter",
    "withdrawal": "Withdrawal",
}
_SHAPED: dict[str, Schema] = {"signature": SIGNATURE, "parent": HEX32, "oco": LABEL}

_REASONS = {
    400: "What was sent has a wrong form; `param` names the field.",
    401: "The signature is by nobody who may do this, or the token is missing.",
    404: "There is no such order, market, account or path.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there: a slot, a client id, a nonce, a revision.",
    410: "Records as old as this are not kept.",
    413: "The body is too large.",
    422: "Good form, but the market or the account does not allow it.",
    429: "Beyond a rate limit; Retry-After says for how many seconds.",
    503: "Not now: starting, stopping, behind the chain, overloaded or the disk full. Retry-After says for how long.",
}
_GOOD = {200: "Done.", 201: "A new order was accepted."}
_ALWAYS = (400, 404, 408, 413, 429, 503)
_COMMAND = (401, 409, 422)

_RATE_HEADERS: Schema = {
    "RateLimit-Limit": {"description": "Weight that one may send at once.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "What is left of it.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {
        "description": "When all of it will be there again, in milliseconds since 1970.",
        "schema": {"type": "integer"},
    },
}
_RETRY_HEADER: Schema = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}


@dataclass(frozen=True)
class Operation:
    """One route: its answers by status are types, or a media type for what is no JSON."""

    summary: str
    answers: dict[int, type[msgspec.Struct] | str]
    body: type[msgspec.Struct] | None = None
    refusals: tuple[int, ...] = _ALWAYS
    parameters: tuple[Schema, ...] = ()
    links: Schema = field(default_factory=dict)
    secured: bool = False


def _query(name: str, schema: Schema, about: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": about}


_ID: Schema = {
    "name": "order_id",
    "in": "path",
    "required": True,
    "schema": HEX32,
    "description": "The order's EIP-712 hash.",
}
_LINKS: Schema = {
    name: {"operationId": operation, "parameters": {"order_id": "$response.body#/id"}}
    for name, operation in (("read", "readOrder"), ("amend", "amendOrder"), ("cancel", "cancelOrder"))
}

OPERATIONS: dict[tuple[str, str], tuple[str, Operation]] = {
    ("/v4/orders", "post"): (
        "placeOrder",
        Operation(
            "Place a signed order. The answer comes when the order is matched and on disk.",
            {201: answers.PlacedAnswer, 200: answers.PlacedAnswer},
            bodies.PlaceBody,
            _ALWAYS + _COMMAND,
            links=_LINKS,
        ),
    ),
    ("/v4/orders", "delete"): (
        "cancelOrders",
        Operation(
            "Cancel all orders of a subaccount, in one market or in all, or one order by id or client id.",
            {200: answers.CancelledAnswer},
            bodies.CancelAnyBody,
            _ALWAYS + _COMMAND,
        ),
    ),
    ("/v4/orders", "get"): (
        "readOrderByClientId",
        Operation(
            "One order as it stands, by the name that its owner gave it. Untriggered ones are told by id only.",
            {200: answers.OrderAnswer},
            parameters=(
                _query("address", ADDRESS, "The account.", required=True),
                _query("clientId", LABEL | {"minLength": 1}, "The client id.", required=True),
                _query("subaccountNumber", {"type": "integer", "minimum": 0, "maximum": 65_535}, "0 unless given."),
            ),
        ),
    ),
    ("/v4/orders/batch", "post"): (
        "placeOrders",
        Operation(
            "Place up to 50 orders one after the other, with an answer for each; one that is refused stops no other.",
            {200: answers.PlacedBatchAnswer},
            bodies.PlaceBatchBody,
        ),
    ),
    ("/v4/orders/batch", "delete"): (
        "cancelOrderBatch",
        Operation(
            "Carry out up to 50 cancels one after the other, with an answer for each; one that fails stops no other.",
            {200: answers.CancelledBatchAnswer},
            bodies.CancelBatchBody,
        ),
    ),
    ("/v4/orders/cancelAllAfter", "post"): (
        "cancelAllAfter",
        Operation(
            "Arm, renew or (0 seconds) disarm the switch that cancels all orders of a subaccount.",
            {200: answers.CancelledAnswer},
            bodies.CancelAllAfterBody,
            _ALWAYS + _COMMAND,
        ),
    ),
    ("/v4/orders/verify", "post"): (
        "verifyOrder",
        Operation(
            "Say whom an order's signature recovers to and which digest it must be over. Places nothing.",
            {200: Verdict},
            bodies.VerifyBody,
        ),
    ),
    ("/v4/orders/{order_id}", "get"): (
        "readOrder",
        Operation("One order as it stands.", {200: answers.OrderAnswer}, parameters=(_ID,)),
    ),
    ("/v4/orders/{order_id}", "patch"): (
        "amendOrder",
        Operation(
            "Replace an open order by its next revision, as one step: refused, the old order stands as it was.",
            {201: answers.PlacedAnswer, 200: answers.PlacedAnswer},
            bodies.AmendBody,
            _ALWAYS + _COMMAND,
            (_ID,),
            _LINKS,
        ),
    ),
    ("/v4/orders/{order_id}", "delete"): (
        "cancelOrder",
        Operation(
            "Cancel one order.",
            {200: answers.CancelledAnswer},
            bodies.CancelBody,
            _ALWAYS + _COMMAND,
            (_ID,),
        ),
    ),
    ("/v4/withdrawals", "post"): (
        "cosignWithdrawal",
        Operation(
            "Co-sign an instant withdrawal. Its amount is unavailable until it lands or its deadline has passed.",
            {200: answers.CosignedAnswer},
            bodies.WithdrawalBody,
            _ALWAYS + _COMMAND,
        ),
    ),
    ("/v4/receipts/{seq}", "get"): (
        "readReceipt",
        Operation(
            "The receipt for a record of the journal, by its number.",
            {200: answers.FoundReceipt},
            parameters=(
                {
                    "name": "seq",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 0, "maximum": 10**17},
                    "description": "The number of the record.",
                },
            ),
        ),
    ),
    ("/v4/journal/segments", "get"): (
        "listSegments",
        Operation("What of the journal is published by now.", {200: answers.SegmentsAnswer}),
    ),
    ("/v4/journal/segments/{first_seq}", "get"): (
        "readSegment",
        Operation(
            "One published segment, as `ouro audit` reads it; an open conditional order is shown as its hash.",
            {200: "application/octet-stream"},
            refusals=(400, 404, 429, 503),
            parameters=(
                {
                    "name": "first_seq",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 0, "maximum": 10**17},
                    "description": "The number of the segment's first record.",
                },
                _query("from", {"type": "integer", "minimum": 0, "maximum": 10**17}, "Leave out what is before."),
            ),
        ),
    ),
    ("/events", "get"): (
        "readEvents",
        Operation(
            "Records of the event log from a number on, one JSON object per line. As a stream: /events/stream?from.",
            {200: "application/x-ndjson"},
            refusals=(400, 401, 410, 429, 503),
            parameters=(
                _query("from", {"type": "integer", "minimum": 0, "maximum": 2**53}, "The first record wanted."),
                _query("limit", {"type": "integer", "minimum": 0, "maximum": 2**53}, "At most so many, up to 10000."),
                _query("wait", {"type": "number", "minimum": 0, "maximum": 999_999}, "Seconds to wait, up to 20."),
            ),
            secured=True,
        ),
    ),
    ("/health", "get"): ("health", Operation("The process is up.", {200: answers.HealthAnswer}, refusals=())),
    ("/ready", "get"): (
        "ready",
        Operation(
            "Replayed, caught up with the chain, and settling; 503 with the reason otherwise.",
            {200: answers.ReadyAnswer, 503: answers.ReadyAnswer},
            refusals=(),
        ),
    ),
    ("/metrics", "get"): ("metrics", Operation("For Prometheus.", {200: "text/plain"}, refusals=())),
}


def document() -> Schema:
    """The whole description."""
    kinds: list[Any] = [answers.ErrorAnswer, answers.CancelledAnswer, bodies.CancelAnyBody]
    for _, operation in OPERATIONS.values():
        kinds += [kind for kind in (*operation.answers.values(), operation.body) if isinstance(kind, type)]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for batch, name, item in (
        ("PlaceBatchBody", "orders", "PlaceBody"),
        ("CancelBatchBody", "cancels", "CancelAnyBody"),
    ):
        components[batch]["properties"][name] = {
            "type": "array",
            "minItems": 1,
            "maxItems": bodies.MAX_BATCH_ITEMS,
            "items": _reference(item),
        }
    for item, good in (("PlacedItem", "PlacedAnswer"), ("CancelledItem", "CancelledAnswer")):
        components[item]["properties"]["body"] = {"anyOf": [_reference(good), _reference("ErrorAnswer")]}
    for name, schema in components.items():
        if name.endswith("Body") or name == "Conditions":
            _shape(schema)
    components |= {kind: message_schema(kind) for kind in _MESSAGES.values()}
    components["CancelAnyBody"]["oneOf"] = [
        {"required": [name]} for name in ("cancel", "cancelByClientId", "cancelAll")
    ]
    paths: Schema = {}
    for (path, method), (name, operation) in OPERATIONS.items():
        paths.setdefault(path, {})[method] = _described(name, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ouro relayer",
            "version": "1",
            "description": "Signed orders and cancels in, answers that are on disk out. Messages are EIP-712.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"events": {"type": "http", "scheme": "bearer", "description": "Where one is set."}},
        },
    }


def message_schema(primary_type: str) -> Schema:
    """The JSON schema of an EIP-712 message. Whole numbers may be numbers or digits."""
    properties: Schema = {}
    for entry in eip712.TYPES[primary_type]:
        name, kind = entry["name"], entry["type"]
        if name in _WORDS:
            properties[name] = {"type": "string", "enum": [word.value for word in _WORDS[name]]}
        elif kind.startswith("uint"):
            properties[name] = _whole(int(kind[4:]))
        else:
            properties[name] = {"address": ADDRESS, "bytes32": HEX32, "bool": {"type": "boolean"}}.get(kind, LABEL)
    return {
        "type": "object",
        "description": f"The EIP-712 message {primary_type}.",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _shape(schema: Schema) -> None:
    """Says of a body's fields what their types do not."""
    properties = schema["properties"]
    for name, known in list(properties.items()):
        if name in _MESSAGES:
            properties[name] = _reference(_MESSAGES[name])
        elif name in _SHAPED:
            properties[name] = _SHAPED[name]
        elif name == "replaces":
            properties[name] = HEX32
        elif name == "clientId":
            properties[name] = {"anyOf": [LABEL, {"type": "integer"}, {"type": "null"}]}
        elif name in ("expectedFilled", "notBefore", "armPrice"):
            properties[name] = _whole(48)
        elif "default" in known and known["default"] is None:
            known.pop("default")


def _whole(bits: int) -> Schema:
    return {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": (1 << bits) - 1},
            {"type": "string", "pattern": DIGITS},
        ]
    }


def _described(name: str, operation: Operation) -> Schema:
    responses: Schema = {}
    for status in operation.refusals:
        headers = dict(_RATE_HEADERS) | (_RETRY_HEADER if status in (429, 503) else {})
        responses[str(status)] = _answer(_REASONS[status], answers.ErrorAnswer, headers)
    for status, kind in operation.answers.items():
        headers = _RATE_HEADERS if operation.refusals else {}
        responses[str(status)] = _answer(_GOOD.get(status, "Not so."), kind, headers)
        if status < 300 and operation.links:
            responses[str(status)]["links"] = operation.links
    described: Schema = {"operationId": name, "summary": operation.summary, "responses": responses}
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        reference = _reference(operation.body.__name__)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    if operation.secured:
        described["security"] = [{"events": []}, {}]
    return described


def _answer(about: str, kind: type[msgspec.Struct] | str, headers: Schema) -> Schema:
    if isinstance(kind, str):
        content: Schema = {kind: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": _reference(kind.__name__)}}
    return {"description": about, "headers": headers, "content": content}
