# SPDX-License-Identifier: AGPL-3.0-only
"""The build of the trading app: the same bytes wherever and whenever it is made, made only when there is need."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stack.webbuild import STAMP, WebBuild, WebBuildError, find_npm

ROOT = Path(__file__).resolve().parents[2]


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def linked(source: str, target: str) -> str:
    """A second name for a file; a copy where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def copy_of(root: Path) -> WebBuild:
    """The sources with their installed packages at another place."""
    shutil.copytree(ROOT / "web", root / "web", ignore=shutil.ignore_patterns("node_modules"))
    packages = ROOT / "web" / "node_modules"
    shutil.copytree(packages, root / "web" / "node_modules", symlinks=True, copy_function=linked)
    (root / "indexer").mkdir()
    return WebBuild(root)


def files(app: Path) -> dict[str, bytes]:
    return {str(path.relative_to(app)): path.read_bytes() for path in app.rglob("*") if path.is_file()}


def test_two_builds_are_equal_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the set-up, and one at another place, in another time zone and language."""
    second = copy_of(tmp_path / "a folder with another name")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    second.build(find_npm())
    built = files(second.app)
    assert sorted(built) == sorted(files(WebBuild().app))
    assert [name for name, content in files(WebBuild().app).items() if built[name] != content] == []
    assert {"index.html", "index.html.br", "index.html.gz", STAMP} <= set(built)


def test_what_was_built_names_no_place() -> None:
    for name, content in files(WebBuild().app).items():
        assert str(ROOT).encode() not in content, name


def test_it_builds_when_a_source_has_changed(tmp_path: Path) -> None:
    web = copy_of(tmp_path)
    assert not web.current()
    web.app.mkdir()
    (web.app / STAMP).write_text(web.digest())
    assert web.current()
    added = web.sources / "src" / "more.ts"
    added.write_text("")
    assert not web.current()
    added.unlink()
    (web.sources / "test").mkdir(exist_ok=True)
    (web.sources / "test" / "more.test.ts").write_text("")
    assert web.current()


def test_a_failed_build_is_told_and_not_taken_for_one(tmp_path: Path) -> None:
    web = copy_of(tmp_path)
    web.app.mkdir()
    (web.app / STAMP).write_text(web.digest())
    (web.sources / "src" / "main.tsx").write_text("import './gone';\n")
    with pytest.raises(WebBuildError, match=r"(?s)gone.*npm run build"):
        web.build(find_npm())
    assert not (web.app / STAMP).exists()


def test_a_node_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old, fit = tmp_path / "old", tmp_path / "fit"
    executable(old / "node", "echo v18.20.4")
    executable(old / "npm", "exit 9")
    executable(fit / "node", "echo v22.1.0")
    npm = executable(fit / "npm", "exit 0")
    assert find_npm(os.pathsep.join(map(str, (old, fit)))) == npm
    # The environment brings one along.
    found = find_npm(str(old))
    version = subprocess.run([found.with_name("node"), "--version"], capture_output=True, text=True, check=True)
    assert int(version.stdout[1:].split(".")[0]) >= 20


def test_without_any_node_it_says_which_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "node", "echo v18.20.4")
    executable(tmp_path / "npm", "exit 9")
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(WebBuildError, match=r"(?s)Node 20\.19.*node \(18\.20\).*make setup"):
        find_npm(str(tmp_path))


def test_the_lock_names_no_server() -> None:
    text = (ROOT / "web" / "package-lock.json").read_text()
    assert '"integrity"' in text
    assert "resolved" not in text


def test_the_tests_of_the_app_pass() -> None:
    """vitest: the app's own tests, with the vectors that bind its formulas to everybody else's."""
    npm = find_npm()
    environment = {**os.environ, "PATH": os.pathsep.join([str(npm.parent), os.environ["PATH"]]), "NO_COLOR": "1"}
    done = subprocess.run(
        [npm, "run", "test", "--silent"],
        cwd=ROOT / "web",
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
