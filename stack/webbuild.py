# SPDX-License-Identifier: AGPL-3.0-only
"""Build the trading app of `web/` into `indexer/app`, when its sources are not those of the last build.

The set-up runs this in the finished environment: `python -m stack.webbuild`. It needs Node: the machine's, else the one
that came with the environment.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_AT_LEAST = (20, 19)
STAMP = ".sources"

#: What no build depends on.
_APART = {"node_modules", "test", "biome.json"}


class WebBuildError(Exception):
    """There is no build; the message says what to do."""


class WebBuild:
    """The sources in `root`/web, their packages, and what was built of them."""

    def __init__(self, root: Path = ROOT) -> None:
        self.sources = root / "web"
        self.packages = self.sources / "node_modules"
        self.app = root / "indexer" / "app"

    def current(self) -> bool:
        """Whether packages and app are what the sources say."""
        return self.installed() and _read(self.app / STAMP) == self.digest()

    def installed(self) -> bool:
        """Whether the packages are those of the lock."""
        return _read(self.packages / STAMP) == self._lock()

    def install(self, npm: Path) -> None:
        """The locked packages, without running any script of theirs. Raises `WebBuildError`."""
        _run(npm, self.sources, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        (self.packages / STAMP).write_text(self._lock())

    def build(self, npm: Path) -> None:
        """The app, whatever stands there already. Raises `WebBuildError`."""
        (self.app / STAMP).unlink(missing_ok=True)
        digest = self.digest()
        _run(npm, self.sources, "run", "build", "--silent", "--loglevel=error")
        (self.app / STAMP).write_text(digest)

    def digest(self) -> str:
        """Of everything that the app is made of."""
        digest = hashlib.sha256()
        for path in self._files():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(self.sources).as_posix()}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def size(self) -> int:
        """Bytes of the app as it is sent to today's browsers."""
        return sum(path.stat().st_size for path in self.app.rglob("*.br"))

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.sources.iterdir()):
            if path.name not in _APART:
                yield from sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]

    def _lock(self) -> str:
        return hashlib.sha256((self.sources / "package-lock.json").read_bytes()).hexdigest()


def find_npm(path: str | None = None) -> Path:
    """The first npm with a fitting node beside it: on `path` (default PATH), else of the environment that runs this.

    Raises `WebBuildError`.
    """
    folders = (os.environ.get("PATH", "") if path is None else path).split(os.pathsep)
    refused = []
    for folder in (*folders, str(Path(sys.executable).parent)):
        node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
        if not folder or node is None or npm is None:
            continue
        version = _version(node)
        if version >= NODE_AT_LEAST:
            return Path(npm).absolute()
        refused.append(f"{node} ({'.'.join(map(str, version)) or 'does not run'})")
    at_least = ".".join(map(str, NODE_AT_LEAST))
    raise WebBuildError(
        f"The trading app is built with Node {at_least} or later. "
        + (f"Too old or broken: {', '.join(refused)}. " if refused else "There is none here. ")
        + "`make setup` brings one along."
    )


def _version(node: str) -> tuple[int, ...]:
    """Major and minor version of a node; empty when it does not run."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if done.returncode == 0 and found else ()


def _run(npm: Path, folder: Path, *arguments: str) -> None:
    """npm, with its node first on PATH. Raises `WebBuildError` with what it printed."""
    path = os.pathsep.join([str(npm.parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [str(npm), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, "npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        command = f"npm {' '.join(arguments)}"
        raise WebBuildError(
            f"{done.stdout.strip()}\n\nThis command failed in {folder} (exit {done.returncode}): {command}"
        )


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def main() -> int:
    """Build if there is need; 0 when the app stands."""
    parser = argparse.ArgumentParser(prog="python -m stack.webbuild", description=__doc__)
    parser.add_argument("--force", action="store_true", help="build in any case")
    parser.add_argument("--packages", action="store_true", help="install what the build needs, and no more")
    options = parser.parse_args()
    web = WebBuild()
    if web.installed() if options.packages else web.current() and not options.force:
        return 0
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[web   {time.monotonic() - started:5.1f} s] {text}", flush=True)

    try:
        npm = find_npm()
        if not web.installed():
            say("Installing the locked packages of the trading app into web/node_modules")
            web.install(npm)
        if options.packages:
            return 0
        say("Building the trading app into indexer/app")
        web.build(npm)
    except WebBuildError as error:
        print(f"\nThe trading app could not be built. {error}", file=sys.stderr)
        return 1
    say(f"Built: {web.size() / 1000:,.0f} kB compressed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
