# SPDX-License-Identifier: AGPL-3.0-only
"""The trading app: what it weighs, how fast it is there, how fast it shows what the exchange says, what it keeps.

    python -m bench.web [load] [busy] [memory] [phone] [--url URL] [--minutes 30] [--visits 5] [--first]

In the system's Chromium (headless) on a local stack, which it starts unless `--url` names a running one. The book runs
at 200 changes a second (`bench/web_stand.py`). Lighthouse 12 is fetched by npm into `.cache/lighthouse`. Parts that are
not asked for keep the figures that are there. On a machine that does other things as well, `--first` lets the browser
come before them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.web_stand import Stand
from stack.webbuild import WebBuild, find_npm
from tests.browser.exchange import Exchange, exchange

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results") / "web.json"
PROBE = Path(__file__).with_name("web_probe.js")
LIGHTHOUSE = "12.8.2"
MARKET = "BTC-USD"
PER_SECOND = 200.0
VIEWPORT = {"width": 1440, "height": 900}

PARTS = ("load", "busy", "memory", "phone")
BUSY_MINUTES = 2.0
TRIES = 8

Figures = dict[str, Any]


def sizes(app: Path) -> Figures:
    """Bytes as they go over the wire (Brotli): what every page needs, and the largest part that comes when needed."""
    first = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js|[^"/]+\.js)"', (app / "index.html").read_text()))
    initial: set[str] = set()
    queue = list(first)
    while queue:
        name = queue.pop()
        if name in initial:
            continue
        initial.add(name)
        queue += [
            f"assets/{found}" for found in re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', (app / name).read_text())
        ]
    packed = {str(path.relative_to(app))[:-3]: path.stat().st_size for path in app.rglob("*.js.br")}
    later = {name: size for name, size in packed.items() if name not in initial}
    return {
        "initial_js_kb": round(sum(packed[name] for name in initial) / 1000, 1),
        "largest_lazy_chunk_kb": round(max(later.values(), default=0) / 1000, 1),
        "css_kb": round(sum(path.stat().st_size for path in app.rglob("*.css.br")) / 1000, 1),
        "lazy_chunks": len(later),
    }


def new_page(browser: Browser, lots_per_unit: int) -> Page:
    page = browser.new_context(viewport=VIEWPORT).new_page()
    page.add_init_script(f"window.__lotsPerUnit = {lots_per_unit};")
    page.add_init_script(path=PROBE)
    return page


def wait_for(page: Page, expression: str) -> None:
    """Until it holds. (Playwright's own way needs `eval`, which the page's policy forbids.)"""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(expression)


def load(browser: Browser, url: str) -> Figures:
    """One visit with an empty cache; times in ms since navigation."""
    page = new_page(browser, 10_000)
    page.goto(f"{url}/trade/{MARKET}")
    wait_for(page, "performance.getEntriesByName('chart-ready').length")
    page.wait_for_timeout(3_000)
    found: Figures = page.evaluate(
        """() => ({
            fcp: performance.getEntriesByName('first-contentful-paint')[0].startTime,
            chart: performance.getEntriesByName('chart-ready')[0].startTime,
            blocked: window.__blocked, shifts: window.__shifts,
            scripts: performance.getEntriesByType('resource')
                .filter((one) => new URL(one.name).pathname.endsWith('.js'))
                .reduce((sum, one) => sum + one.encodedBodySize, 0),
        })"""
    )
    page.context.close()
    blocking = sum(max(0.0, length - 50) for start, length in found["blocked"] if start >= found["fcp"])
    return {
        "fcp_ms": found["fcp"],
        "chart_ready_ms": found["chart"],
        "total_blocking_ms": blocking,
        "cls": sum(value for _, value in found["shifts"]),
        "js_kb": found["scripts"] / 1000,
    }


def loads(browser: Browser, url: str, count: int) -> Figures:
    """Median and best of each figure over `count` visits: on a busy machine the best one says what the page needs."""
    visits = [load(browser, url) for _ in range(count)]
    median = {name: round(statistics.median(visit[name] for visit in visits), 4) for name in visits[0]}
    best = {name: round(min(visit[name] for visit in visits), 4) for name in visits[0]}
    return {"visits": count, "median": median, "best": best}


def heap_bytes(session: CDPSession) -> int:
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def busy(browser: Browser, venue: Exchange, minutes: float) -> Figures:
    """The page under a book of 200 changes a second: from sending to the screen, paints a second, heap growth."""
    market = venue.get("/v4/perpetualMarkets")["markets"][MARKET]
    lot = Decimal(market["stepSize"])
    stand = Stand(venue.url, MARKET, lot, PER_SECOND)
    page = new_page(browser, int(1 / lot))
    try:
        page.goto(f"{stand.start()}/trade/{MARKET}")
        session = page.context.new_cdp_session(page)
        wait_for(page, "window.__seen.length > 20")
        # The app's caches fill in the first half minute.
        page.wait_for_timeout(30_000)
        before = heap_bytes(session)
        page.evaluate("window.__seen.length = 0")
        page.wait_for_timeout(minutes * 60_000)
        seen: list[tuple[int, float]] = [tuple(one) for one in page.evaluate("window.__seen")]
        page.evaluate("window.__seen.length = 0")
        grown = heap_bytes(session) - before
    finally:
        page.context.close()
        stand.stop()
    newest = sorted(at - stand.sent_ms[number] for number, at in seen)
    every = sorted(waits(seen, stand.sent_ms))
    span_s = (seen[-1][1] - seen[0][1]) / 1000
    return {
        "book_changes_per_second": round((seen[-1][0] - seen[0][0]) / span_s, 1),
        "book_paints_per_second": round((len(seen) - 1) / span_s, 1),
        "send_to_paint_p50_ms": round(quantile(newest, 0.5), 1),
        "send_to_paint_p95_ms": round(quantile(newest, 0.95), 1),
        "every_change_to_paint_p95_ms": round(quantile(every, 0.95), 1),
        "heap_growth_mb": round(grown / 1e6, 2),
        "minutes": minutes,
    }


def waits(seen: list[tuple[int, float]], sent_ms: list[float]) -> Iterator[float]:
    """For each change, also those that a later one overtook: how long until the page showed it or a later one."""
    for (last, _), (number, at) in pairwise(seen):
        for one in range(last + 1, number + 1):
            yield at - sent_ms[one]


def quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def lighthouse(url: str, chromium: str, visits: int) -> Figures:
    """Scores of the trade page on an emulated phone, of 100: of the median visit, as Lighthouse advises, and the best.

    It slows the processor to a quarter. What else the machine does slows it further: `benchmark_index` is Lighthouse's
    own measure of that (a machine of its own has some 1,500 or more).
    """
    home = ROOT / ".cache" / "lighthouse"
    npm = find_npm()
    environment = {**os.environ, "CHROME_PATH": chromium, "PATH": f"{npm.parent}{os.pathsep}{os.environ['PATH']}"}
    binary = home / "node_modules" / ".bin" / "lighthouse"
    if not binary.exists():
        home.mkdir(parents=True, exist_ok=True)
        command = [str(npm), "install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run([*command, "--prefix", str(home), f"lighthouse@{LIGHTHOUSE}"], check=True, env=environment)
    found = sorted(
        (_visit(binary, url, environment) for _ in range(visits)), key=lambda visit: int(visit["scores"]["performance"])
    )
    return {"version": LIGHTHOUSE, "visits": visits, "median": found[len(found) // 2], "best": found[-1]}


def _visit(binary: Path, url: str, environment: dict[str, str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(str(binary), f"{url}/trade/{MARKET}", "--output=json", f"--output-path={report}", "--quiet"),
            *(
                "--chrome-flags=--headless=new --no-sandbox",
                "--only-categories=performance,accessibility,best-practices",
            ),
        ]
        # On a busy machine Lighthouse sometimes misses the beginning of its own trace, and says so.
        for attempt in range(TRIES):
            if subprocess.run(command, check=attempt == TRIES - 1, env=environment).returncode == 0:
                break
        found = json.loads(report.read_text())
    names = {
        "fcp_ms": "first-contentful-paint",
        "lcp_ms": "largest-contentful-paint",
        "speed_index_ms": "speed-index",
        "total_blocking_ms": "total-blocking-time",
    }
    return {
        "scores": {name: round(category["score"] * 100) for name, category in found["categories"].items()},
        **{name: round(found["audits"][audit]["numericValue"]) for name, audit in names.items()},
        "benchmark_index": round(found["environment"]["benchmarkIndex"]),
    }


def first_in_line(program: str, folder: Path) -> str:
    """A script that starts it with real-time priority. (Niceness would not do: Chromium sets that of its own parts.)"""
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec chrt --rr 1 {program} "$@"\n')
    script.chmod(0o755)
    return str(script)


def main() -> None:
    """Print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--url", help="a running exchange")
    parser.add_argument("--minutes", type=float, default=30, help="how long the busy book runs")
    parser.add_argument("--visits", type=int, default=5, help="visits of which the median counts")
    parser.add_argument("--first", action="store_true", help="the browser has real-time priority (chrt; by root)")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go (default {RESULTS.name})")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium here (Debian and Ubuntu: apt-get install chromium)")
    if options.url:
        os.environ["OURO_BROWSER_URL"] = options.url
    rows: Figures = json.loads(options.json.read_text()) if options.parts and options.json.exists() else {}
    rows |= {"sizes": sizes(WebBuild().app), "processors": os.cpu_count()}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.first:
            chromium = first_in_line(chromium, folder)
        venue = stack.enter_context(exchange(folder))
        for part in options.parts or PARTS:
            load_before = round(os.getloadavg()[0], 1)
            if part == "phone":
                rows[part] = lighthouse(venue.url, chromium, options.visits)
            else:
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=chromium)
                    rows["chromium"] = browser.version
                    if part == "load":
                        rows[part] = loads(browser, venue.url, options.visits)
                    elif part == "busy":
                        rows[part] = busy(browser, venue, BUSY_MINUTES)
                    else:
                        found = busy(browser, venue, options.minutes)
                        names = ("heap_growth_mb", "minutes", "book_changes_per_second")
                        rows[part] = {name: found[name] for name in names}
                    browser.close()
            rows[part] |= {"load_average_before": load_before, "browser_first": options.first}
            sys.stdout.write(f"{part}: {json.dumps(rows[part])}\n")
            sys.stdout.flush()
            options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
