"""What is given away: it holds what it should, and runs where there is no repository."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from forwarder import __version__
from tests.deploy.conftest import Distribution
from tests.deploy.files import REPOSITORY

_DONE_WITHIN_S = 250.0


def _run(command: list[str], **more: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False, **more)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def _in_repository(*under: str) -> set[str]:
    """What git has, or will have with the next `git add`."""
    listed = _run(["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", *under])
    return {name for name in listed.splitlines() if (REPOSITORY / name).exists()}


def test_the_wheel_is_the_package_and_nothing_else(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
    assert names == _in_repository("forwarder")
    assert {"forwarder/py.typed", "forwarder/settings/profiles/production.toml"} <= names
    assert "License-Expression: BSD-3-Clause" in metadata


def test_the_sdist_is_the_repository(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    assert names - {"PKG-INFO"} == _in_repository()


def test_a_package_index_would_take_both(distribution: Distribution) -> None:
    _run([sys.executable, "-m", "twine", "check", "--strict", str(distribution.wheel), str(distribution.sdist)])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_runs_where_there_is_no_repository(distribution: Distribution, kind: str, tmp_path: Path) -> None:
    venv, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Nothing that leads back to this checkout.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    # By variable, because that holds for what builds the sdist too.
    environment["PIP_CONSTRAINT"] = str(REPOSITORY / "constraints.txt")
    # This environment's own pip does for it: to put one there takes as long as the rest.
    _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], env=environment)
    python, forwarder = str(venv / "bin" / "python"), str(venv / "bin" / "forwarder")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    _run([*pip, str(getattr(distribution, kind))], env=environment)
    # Only now, so that pip has its cache.
    environment["HOME"] = str(elsewhere)
    where = [python, "-c", "import forwarder; print(forwarder.__file__)"]
    assert Path(_run(where, cwd=elsewhere, env=environment).strip()).is_relative_to(venv)
    assert _run([forwarder, "--version"], cwd=elsewhere, env=environment) == f"forwarder {__version__}\n"
    last = _run([forwarder, "demo", "--seconds", "3"], cwd=elsewhere, env=environment).splitlines()[-1]
    # The verdict on whether all has arrived is the exit code's.
    assert last.startswith("demo: ")
    assert "production" in _run([forwarder, "run", "--profile", "production", "--show-settings"], cwd=elsewhere)
