# SPDX-License-Identifier: AGPL-3.0-only
"""The bodies' shapes for the API's description, taken from the types that decode them."""

from typing import Any

import msgspec


def body_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The `requestBody` of an operation that takes `kind` as JSON."""
    schema = msgspec.json.schema(kind)
    reference = schema.pop("$ref").rsplit("/", 1)[1]
    inlined = schema["$defs"][reference]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined}}}}
