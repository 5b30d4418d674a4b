# SPDX-License-Identifier: Apache-2.0
"""URLs as they may be shown: providers put keys into paths and queries, and people put passwords before the host."""

from urllib.parse import urlsplit


def shown(url: str) -> str:
    """Scheme, host and port; what is no URL is not repeated."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}" if host else "a URL without a host"
