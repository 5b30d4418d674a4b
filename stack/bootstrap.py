#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-only
"""Set this checkout up: `.venv` with the hashed lock, the project itself, anvil in `.tools/bin`, the trading app.

Needs nothing but a Python (any: it looks for a 3.11 or 3.12 itself) and the package registries. Runs again for
nothing: a stamp keyed by the locks says whether there is work. Everything it makes is in `.venv` and `.tools`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
TOOLS = os.path.join(ROOT, ".tools")
BOOTSTRAP_LOCK = os.path.join(ROOT, "requirements", "bootstrap.txt")
SUPPORTED = ((3, 12), (3, 11))

ANVIL_VERSION = "1.7.1"
BIOME_VERSION = "2.6.8"
#: Digest of the binary itself. On platforms that are not listed the download rests on npm's own integrity check.
ANVIL_SHA256 = {"linux-amd64": "10c1c727d6c1de973aeb160e59875b9a9a23464d6e74149ee8abb30b3500311b"}

STARTED = time.monotonic()


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


def say(text: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print("[setup %5.1f s] %s" % (time.monotonic() - STARTED, text), flush=True)


def run(*command: str, progress: bool = False, extra_env: dict[str, str] | None = None) -> None:
    """Run a command, showing its output when it fails, and with `progress` all along. Raises SetupError."""
    # A virtual environment that happens to be active must not steer what is installed where.
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    env.update(extra_env or {})
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            # The installer ends with a list of every package, which tells nothing here.
            if progress and not line.startswith((" + ", " - ", " ~ ")):
                print("                 " + line.rstrip(), flush=True)
    if process.returncode != 0:
        if not progress:
            print("".join(lines), flush=True)
        raise SetupError("This command failed (exit %d): %s" % (process.returncode, " ".join(command)))


# ------------------------------------------------------------------------------------------------------- Python


def search_path() -> list[str]:
    """PATH without this checkout's own folders, so that a tool found there is the machine's."""
    own = (VENV, TOOLS)
    entries = os.environ.get("PATH", "").split(os.pathsep)
    return [entry for entry in entries if entry and not os.path.abspath(entry).startswith(own)]


def find_all(name: str) -> list[str]:
    """Every executable called `name` on the machine's PATH, first one first."""
    found = (shutil.which(name, path=entry) for entry in search_path())
    return [path for path in found if path is not None]


def python_version(path: str) -> tuple[int, int] | None:
    """Version of the interpreter at `path`; None if it does not run (a version manager's shim may not)."""
    try:
        out = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        major, minor = out.stdout.decode().strip().split(".")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return (int(major), int(minor)) if out.returncode == 0 else None


def ensure_python() -> None:
    """Go on under a supported Python: this one, or the first that PATH offers."""
    if sys.version_info[:2] in SUPPORTED:
        return
    for version in SUPPORTED:
        for path in find_all("python%d.%d" % version):
            if python_version(path) == version:
                say("This is Python %s; going on with %s" % (platform.python_version(), path))
                os.execv(path, [path, os.path.abspath(__file__), *sys.argv[1:]])
    raise SetupError(
        "Ouro needs Python 3.11 or 3.12. This one is %s (%s), and there is no other on PATH.\n"
        "Install one (Debian and Ubuntu: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.12)\n"
        "or name one: make PYTHON=/path/to/python3.12" % (platform.python_version(), sys.executable)
    )


def base_python() -> str:
    """The interpreter that environments are made from, also when this one runs inside an environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


# ----------------------------------------------------------------------------------------------------------- uv


def bin_of(environment: str, name: str) -> str:
    return os.path.join(environment, "bin", name)


def uv_command() -> str:
    """Path of uv: the machine's own, else the locked one, installed into `.tools/uv`."""
    for path in find_all("uv"):
        if subprocess.run([path, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return path
    home = os.path.join(TOOLS, "uv")
    path = bin_of(home, "uv")
    if not (os.path.exists(path) and read_stamp(home) == fingerprint(BOOTSTRAP_LOCK)):
        say("Installing uv, the package installer")
        shutil.rmtree(home, ignore_errors=True)
        try:
            import ensurepip  # noqa: F401 - some distributions split it off
        except ImportError:
            raise SetupError(
                "This Python (%s) cannot make virtual environments: its ensurepip module is missing.\n"
                "Install it (Debian and Ubuntu: apt-get install python%d.%d-venv), or install uv, and run again."
                % (sys.executable, *sys.version_info[:2])
            ) from None
        run(base_python(), "-m", "venv", home)
        run(
            *(bin_of(home, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary", ":all:", "-r", BOOTSTRAP_LOCK),
        )
        write_stamp(home, fingerprint(BOOTSTRAP_LOCK))
    return path


def site_packages() -> str:
    return os.path.join(VENV, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def reusable(home: str) -> bool:
    """Whether the environment `home` is of this Python and was made at this place."""
    if python_version(bin_of(home, "python")) != sys.version_info[:2]:
        return False
    try:
        with open(bin_of(home, "ouro")) as file:
            # A moved folder keeps scripts that name the old place.
            return home in file.read(1000)
    except FileNotFoundError:
        return True


def make_environment(uv: str, home: str, lock: str) -> None:
    """Bring the environment `home` to exactly what `lock` says."""
    env = {"UV_PYTHON_DOWNLOADS": "never"}
    if not reusable(home):
        shutil.rmtree(home, ignore_errors=True)
        run(uv, "venv", "--quiet", "--no-project", "--python", base_python(), home, extra_env=env)
    run(
        *(uv, "pip", "sync", "--require-hashes", "--build-constraints", BOOTSTRAP_LOCK),
        *("--python", bin_of(home, "python"), lock),
        progress=True,
        extra_env=env,
    )


# -------------------------------------------------------------------------------------------------------- anvil


def anvil_version(path: str) -> str | None:
    """Version that the anvil at `path` reports; None if it does not run."""
    try:
        out = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = out.stdout.decode(errors="replace").replace("Version:", "").split()
    return words[1] if out.returncode == 0 and len(words) > 1 else None


def usable_anvil(version: str | None) -> bool:
    """Whether the stack can run on this version: 1.x has everything that it asks for."""
    return version is not None and version.split(".")[0] == "1"


def anvil_platform() -> str:
    """The platform as the npm packages are named, such as `linux-amd64`."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    if machine is None or system is None:
        raise SetupError(
            "There is no ready anvil for %s on %s. Install Foundry so that `anvil` is on PATH, and run again."
            % (platform.system(), platform.machine())
        )
    return "%s-%s" % (system, machine)


def install_anvil() -> None:
    """Put anvil at `.tools/bin/anvil`: a link to the machine's own, else the binary of the npm package."""
    target = os.path.join(TOOLS, "bin", "anvil")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    for path in find_all("anvil"):
        version = anvil_version(path)
        if usable_anvil(version):
            say("Using the anvil on PATH: %s (%s)" % (path, version))
            os.symlink(path, target)
            return
        say("Passing over %s: %s" % (path, "version " + version if version else "it does not run"))
    where = anvil_platform()
    package = "@foundry-rs/anvil-%s" % where
    say("Fetching anvil %s (%s)" % (ANVIL_VERSION, package))
    prefix = os.path.join(TOOLS, "npm")
    npm_install(prefix, "%s@%s" % (package, ANVIL_VERSION))
    source = os.path.join(prefix, "node_modules", *package.split("/"), "bin", "anvil")
    check_anvil_digest(source, where)
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)
    shutil.rmtree(prefix)
    if not usable_anvil(anvil_version(target)):
        raise SetupError(
            "The fetched anvil does not run here. Install Foundry so that `anvil` is on PATH, and run again."
        )


def npm_install(prefix: str, package: str) -> None:
    """One exact npm package into the folder `prefix`, new, without running any script. Raises SetupError."""
    npm = (find_all("npm") or [bin_of(VENV, "npm")])[0]
    shutil.rmtree(prefix, ignore_errors=True)
    os.makedirs(prefix)
    run(
        *(npm, "install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"),
        *("--loglevel=error", "--prefix", prefix, package),
        # npm from the environment needs the node beside it; npm of the machine finds its own first.
        extra_env={"PATH": os.pathsep.join([os.path.dirname(npm), *search_path(), bin_of(VENV, "")])},
    )


def check_anvil_digest(path: str, where: str) -> None:
    """Refuse a binary whose digest is not the recorded one."""
    expected = ANVIL_SHA256.get(where)
    if expected is None:
        say("No own digest for %s: relying on npm's integrity check" % where)
        return
    found = sha256_of(path)
    if found != expected:
        raise SetupError("The fetched anvil is not the expected one: sha256 is %s, expected %s" % (found, expected))


# ------------------------------------------------------------------------------------------------------- stamps


def sha256_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def fingerprint(*paths: str) -> str:
    """Digest of the files and of all else that a finished environment depends on."""
    parts = [ROOT, base_python(), platform.python_version(), *(sha256_of(path) for path in paths)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def stamp_path(home: str) -> str:
    return os.path.join(home, ".ouro-stamp")


def read_stamp(home: str) -> str | None:
    try:
        with open(stamp_path(home)) as file:
            return file.read().strip()
    except OSError:
        return None


def write_stamp(home: str, value: str) -> None:
    with open(stamp_path(home), "w") as file:
        file.write(value + "\n")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the set-up's lock, so that two makes at once do not tread on each other."""
    import fcntl

    os.makedirs(TOOLS, exist_ok=True)
    with open(os.path.join(TOOLS, "setup.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --------------------------------------------------------------------------------------------------------- steps


def set_up_project() -> None:
    """`.venv` as the lock says, the project in it, and anvil."""
    lock = os.path.join(ROOT, "requirements", "dev.txt")
    wanted = fingerprint(lock, os.path.join(ROOT, "pyproject.toml"), os.path.abspath(__file__))
    anvil = os.path.join(TOOLS, "bin", "anvil")
    if read_stamp(VENV) == wanted and os.path.exists(bin_of(VENV, "ouro")) and os.access(anvil, os.X_OK):
        return
    say("Python %s (%s)" % (platform.python_version(), base_python()))
    packages = begin_app_packages()
    uv = uv_command()
    say("Installing the locked packages into .venv")
    make_environment(uv, VENV, lock)
    say("Installing Ouro itself")
    run(
        *(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--python", bin_of(VENV, "python"), "--editable", ROOT),
        # setuptools needs a newer `packaging` than ape allows, and brings it along.
        extra_env={"PYTHONPATH": os.path.join(site_packages(), "setuptools", "_vendor")},
    )
    if not usable_anvil(anvil_version(anvil)):
        install_anvil()
    packages.wait()
    write_stamp(VENV, wanted)
    say("Ready")


def begin_app_packages() -> subprocess.Popen[bytes]:
    """The app's packages, by the machine's own Node, while the rest is set up. What fails here is tried again later."""
    command = (sys.executable, "-m", "stack.webbuild", "--packages")
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def set_up_app() -> None:
    """The trading app in `indexer/app`, by a program that runs in the environment; it says itself what it does."""
    command = (bin_of(VENV, "python"), "-m", "stack.webbuild")
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise SetupError("Everything but the trading app is set up.")


def set_up_mamushi() -> None:
    """The Vyper formatter in an environment of its own, because its click conflicts with ape's."""
    home = os.path.join(TOOLS, "mamushi")
    lock = os.path.join(ROOT, "requirements", "mamushi.txt")
    if read_stamp(home) == fingerprint(lock):
        return
    say("Installing the Vyper formatter into .tools/mamushi")
    make_environment(uv_command(), home, lock)
    write_stamp(home, fingerprint(lock))


def set_up_biome() -> None:
    """The app's formatter and linter, out of its lock: that would have to hold the packages of all platforms."""
    home = os.path.join(TOOLS, "biome")
    wanted = "@biomejs/biome@%s" % BIOME_VERSION
    if read_stamp(home) == wanted:
        return
    say("Installing the web formatter into .tools/biome")
    npm_install(home, wanted)
    write_stamp(home, wanted)


def main() -> int:
    """Do what is missing; 0 when everything stands."""
    parser = argparse.ArgumentParser(description="Set up .venv and .tools of this checkout.")
    parser.add_argument("--tools", action="store_true", help="also the formatters, which `make check` needs")
    options = parser.parse_args()
    try:
        ensure_python()
        with one_at_a_time():
            set_up_project()
            if options.tools:
                set_up_mamushi()
                set_up_biome()
            set_up_app()
    except SetupError as error:
        print("\nSet-up failed. %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
