# SPDX-License-Identifier: Apache-2.0
"""Whether a service is ready, for people and for scripts: `ouro relayer status`, `ouro indexer status`."""

import json
import sys

import httpx

from ouro.node_answers import mapping


def report(url: str, service: str, *, as_json: bool) -> int:
    """Print what the `/ready` of a service says, line by line or as JSON; the exit status, 0 when it is ready."""
    try:
        response = httpx.get(f"{url}/ready", timeout=5)
        known = mapping(response.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        print(f"no {service} answers at {url}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(known))
    else:
        for name, value in known.items():
            print(f"{name}: {', '.join(value) or 'none' if isinstance(value, list) else value}")
    return 0 if response.status_code == httpx.codes.OK else 1
