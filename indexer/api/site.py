# SPDX-License-Identifier: AGPL-3.0-only
"""The trading app: the files of its build, read once, compressed beforehand, with a strict content security policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

BUILD = Path(__file__).resolve().parents[1] / "app"

IMMUTABLE = "public, max-age=31536000, immutable"
"""For files whose name changes with what is in them."""
ASK_EACH_TIME = "no-cache"

_INDEX = "/index.html"
_HASHED = "/assets/"
#: What belongs to the API also where it has nothing.
_RESERVED = re.compile(r"/(v4|health|ready|metrics|docs|redoc|openapi\.json)(/|$)")
#: Best first. The suffix is that of the file beside the plain one.
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_ORIGIN = re.compile(r"(https?|wss?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?")
_MISSING = """The trading app is not built here, so there is nothing to show at this address. The API is: see /v4/time.

In a checkout of Ouro, `make web` builds the app; start the exchange again afterwards. Released packages hold it.
"""


@dataclass(frozen=True)
class _File:
    """One file in every encoding that it is there in ("": plain)."""

    bodies: Mapping[str, bytes]
    headers: Mapping[str, str]
    etag: str


def policy(rpc_url: str) -> str:
    """The content security policy: everything from here, and beside that nothing but calls to the announced node."""
    node = _ORIGIN.fullmatch(origin(rpc_url))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'" + (f" {node[0]}" if node else ""),
            "img-src 'self' data:",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def origin(url: str) -> str:
    """Scheme, host and port of a URL; empty when it has none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class Site:
    """ASGI application for all paths that the API leaves over."""

    def __init__(self, folder: Path, rpc_url: str) -> None:
        """Reads the build in `folder`, which may be missing: then every page says so."""
        self._headers = {
            "Content-Security-Policy": policy(rpc_url),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            # A wallet may open a window of its own.
            "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
        self._files = _read(folder)

    @property
    def built(self) -> bool:
        """Whether there is an app to serve."""
        return _INDEX in self._files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or _RESERVED.match(path):
            raise HTTPException(404)
        file = self._files.get(path)
        if file is None:
            # Addresses of pages have no extension; a missing file must not look like a page.
            if "." in path.rsplit("/", 1)[-1] or path.startswith(_HASHED):
                raise HTTPException(404)
            if not self.built:
                return PlainTextResponse(_MISSING, 503, {"Cache-Control": "no-store", **self._headers})
            file = self._files[_INDEX]
        return self._send(file, Headers(scope=scope))

    def _send(self, file: _File, asked: Headers) -> Response:
        accepted = accepted_encodings(asked.get("accept-encoding", ""))
        encoding = next((name for name, _ in _ENCODINGS if name in accepted and name in file.bodies), "")
        headers = {**self._headers, **file.headers, "ETag": f'"{file.etag}{encoding and "-"}{encoding}"'}
        if encoding:
            headers["Content-Encoding"] = encoding
        known = {tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")}
        if headers["ETag"] in known:
            headers.pop("Content-Encoding", None)
            return Response(status_code=304, headers=headers)
        # Starlette leaves the body of a HEAD to the server, which sends none.
        return Response(file.bodies[encoding], headers=headers)


def accepted_encodings(header: str) -> set[str]:
    """The codings that a client takes: those named in Accept-Encoding but with a weight of zero."""
    found = set()
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        weight = parameters.strip().removeprefix("q=").strip()
        if not re.fullmatch(r"0(\.0*)?", weight):
            found.add(name.strip())
    return found


def _read(folder: Path) -> dict[str, _File]:
    """Every file of the build by its path in URLs; the compressed copies count as encodings of theirs."""
    paths = {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
    suffixes = tuple(suffix for _, suffix in _ENCODINGS)
    files = {}
    for path in sorted(paths):
        if path.suffix in suffixes and path.with_suffix("") in paths:
            continue
        plain = path.read_bytes()
        bodies = {"": plain}
        for name, suffix in _ENCODINGS:
            beside = path.with_name(path.name + suffix)
            if beside in paths:
                bodies[name] = beside.read_bytes()
        url = "/" + path.relative_to(folder).as_posix()
        headers = {
            "Content-Type": _TYPES.get(path.suffix, "application/octet-stream"),
            "Cache-Control": IMMUTABLE if url.startswith(_HASHED) else ASK_EACH_TIME,
            "Vary": "Accept-Encoding",
        }
        files[url] = _File(bodies, headers, hashlib.sha256(plain).hexdigest()[:32])
    return files
