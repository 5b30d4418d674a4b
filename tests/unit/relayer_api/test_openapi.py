# SPDX-License-Identifier: AGPL-3.0-only
"""The description says all that there is, and nothing else."""

from fastapi.routing import APIRoute

from relayer.api import cancels, events, health, journal, orders, receipts, withdrawals
from relayer.api.openapi import OPERATIONS, document, message_schema
from tests.support.wire import ORDER_TYPE

ROUTERS = (cancels, events, health, journal, orders, receipts, withdrawals)


def test_every_route_and_no_other_is_described() -> None:
    routes = {
        (route.path, method.lower())
        for part in ROUTERS
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert routes == set(OPERATIONS)
    names = [name for name, _ in OPERATIONS.values()]
    assert len(set(names)) == len(names)


def test_references_lead_somewhere() -> None:
    described = document()
    schemas = described["components"]["schemas"]
    found: set[str] = set()

    def walk(part: object) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                found.add(part["$ref"].removeprefix("#/components/schemas/"))
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(described)
    assert found <= set(schemas)
    assert "" not in found


def test_messages_have_the_signed_fields() -> None:
    fields = [entry.split(" ")[1] for entry in ORDER_TYPE[ORDER_TYPE.index("(") + 1 : -1].split(",")]
    schema = message_schema("Order")
    assert schema["required"] == fields
    assert schema["properties"]["side"]["enum"] == ["BUY", "SELL"]
    assert schema["properties"]["maxFeePpm"]["anyOf"][0]["maximum"] == 65_535
