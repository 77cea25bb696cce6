"""What is built once: the files that are given away."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.deploy.files import REPOSITORY

_BUILT_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Distribution:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def distribution() -> Iterator[Distribution]:
    """The sdist, and the wheel that was built from it."""
    with TemporaryDirectory(prefix="dist-") as folder:
        # Without isolation, so that what builds is what is pinned.
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, str(REPOSITORY)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILT_WITHIN_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = Path(folder).glob("*.whl")
        (sdist,) = Path(folder).glob("*.tar.gz")
        yield Distribution(wheel, sdist)
