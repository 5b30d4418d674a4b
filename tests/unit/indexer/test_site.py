# SPDX-License-Identifier: AGPL-3.0-only
"""The trading app as browsers get it: over real HTTP, from a small build that the test writes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from indexer.api.app import create_app
from indexer.api.forward import Forwarder
from indexer.api.site import accepted_encodings, policy
from indexer.stream.hub import Hub
from tests.unit.indexer.front import NOBODY, context_over, empty_index, served

SCRIPT = "/assets/index-abc123.js"
NODE = "http://127.0.0.1:8545"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with empty_index(tmp_path_factory.mktemp("site")) as engine:
        yield engine


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page, a hashed script with both compressed copies (that are recognisable), an icon, a stamp."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Ouro</title>")
    (folder / "index.html.gz").write_bytes(gzip.compress(b"<!doctype html><title>Ouro</title>", mtime=0))
    script = folder / SCRIPT[1:]
    script.write_text("plain()")
    script.with_name(script.name + ".gz").write_bytes(gzip.compress(b"plain()", mtime=0))
    script.with_name(script.name + ".br").write_bytes(b"brotli bytes")
    (folder / "manifest.webmanifest").write_text("{}")
    (folder / ".sources").write_text("a digest")
    return folder


@contextmanager
def door(engine: Engine, site: Path) -> Iterator[httpx.Client]:
    """A front door on a port of its own."""
    context = replace(context_over(engine), rpc_url=NODE)
    headers = {"Accept-Encoding": "identity"}
    with (
        served(create_app(context, Hub(), Forwarder(NOBODY), site=site)) as where,
        httpx.Client(base_url=f"http://{where}", headers=headers) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def site(engine: Engine, build: Path) -> Iterator[httpx.Client]:
    with door(engine, build) as client:
        yield client


def raw(client: httpx.Client, path: str, accept: str) -> tuple[str | None, bytes]:
    """Encoding and bytes as they went over the wire."""
    with client.stream("GET", path, headers={"Accept-Encoding": accept}) as answer:
        assert answer.status_code == 200
        assert "Accept-Encoding" in answer.headers["Vary"]
        return answer.headers.get("Content-Encoding"), b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    ("accept", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli bytes"),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.compress(b"plain()", mtime=0)),
        ("zstd", None, b"plain()"),
        ("identity", None, b"plain()"),
    ],
)
def test_the_best_copy_that_the_browser_takes(
    site: httpx.Client, accept: str, encoding: str | None, body: bytes
) -> None:
    sent, content = raw(site, SCRIPT, accept)
    assert sent == encoding
    assert (gzip.decompress(content) == b"plain()") if encoding == "gzip" else (content == body)


def test_hashed_files_are_kept_for_good_and_pages_asked_for_each_time(site: httpx.Client) -> None:
    script = site.get(SCRIPT)
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    page = site.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    assert site.get("/manifest.webmanifest").headers["Content-Type"] == "application/manifest+json"


def test_what_the_browser_has_is_not_sent_again(site: httpx.Client) -> None:
    for accept in ("br", "gzip", "identity"):
        first = site.get(SCRIPT, headers={"Accept-Encoding": accept}) if accept != "br" else None
        tag = first.headers["ETag"] if first else site.head(SCRIPT, headers={"Accept-Encoding": "br"}).headers["ETag"]
        again = site.get(SCRIPT, headers={"Accept-Encoding": accept, "If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    plain = site.get(SCRIPT).headers["ETag"]
    assert site.get(SCRIPT, headers={"Accept-Encoding": "gzip", "If-None-Match": plain}).status_code == 200


def test_a_head_has_the_headers_and_no_body(site: httpx.Client) -> None:
    head = site.head("/")
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", 34)


@pytest.mark.parametrize(
    "path", ["/", "/trade/BTC-USD", "/portfolio", "/keys", "/settings", "/help", "/nowhere/at/all"]
)
def test_every_page_is_the_app(site: httpx.Client, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Ouro</title>" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/assets/index-old.js",
        "/assets/gone",
        "/robots.txt",
        "/.sources",
        "/v4",
        "/v4/nothing",
        "/health/more",
        "/assets/..%2f..%2fpyproject.toml",
        "/..%2fapi%2fapp.py",
        "/index.html.gz",
    ],
)
def test_what_is_not_there_is_no_page(site: httpx.Client, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "not_found")


def test_the_api_stays_where_it_is(site: httpx.Client) -> None:
    assert site.get("/health").json() == {"status": "ok"}
    assert "epoch" in site.get("/v4/time").json()
    assert site.post("/portfolio").status_code == 404
    assert site.post("/v4/nothing").status_code == 404
    assert site.delete("/v4/time").status_code == 405


def test_pages_load_nothing_from_elsewhere(site: httpx.Client) -> None:
    for path in ("/", SCRIPT):
        headers = site.get(path).headers
        directives = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert directives.pop("connect-src") == f"'self' {NODE}"
        assert directives.pop("img-src") == "'self' data:"
        assert directives.pop("default-src") == directives.pop("frame-ancestors") == "'none'"
        assert directives.pop("base-uri") == directives.pop("form-action") == "'none'"
        assert set(directives.values()) == {"'self'"}
        assert {"script-src", "style-src"} < set(directives)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("", "'self'"),
        ("https://node.example/v3/key?x=1", "'self' https://node.example"),
        ("https://[::1]:8545", "'self' https://[::1]:8545"),
        ("https://node.example; script-src *", "'self'"),
        ("https://user:secret@node.example", "'self'"),
        ("javascript:alert(1)", "'self'"),
    ],
)
def test_only_the_nodes_origin_gets_into_the_policy(url: str, source: str) -> None:
    assert f"connect-src {source}; " in policy(url)
    assert "*" not in policy(url)


def test_encodings_that_are_refused() -> None:
    assert accepted_encodings("br;q=0, gzip; q=0.000, identity;q=1.0,zstd") == {"identity", "zstd"}


def test_without_a_build_the_page_says_how_to_make_one(engine: Engine, tmp_path: Path) -> None:
    with door(engine, tmp_path / "none") as client:
        page = client.get("/")
        assert (page.status_code, page.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert "make web" in page.text
        assert client.get("/trade/BTC-USD").status_code == 503
        assert client.get("/health").status_code == 200
