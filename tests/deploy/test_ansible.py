"""The Ansible role, as its own tools judge it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.deploy.files import DEPLOY

ANSIBLE = DEPLOY / "ansible"

_DONE_WITHIN_S = 100.0


def ansible(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a program of Ansible's makes of the role, with nothing of this user's own settings."""
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(
        [program, *arguments],
        cwd=ANSIBLE,
        env=variables,
        capture_output=True,
        text=True,
        timeout=_DONE_WITHIN_S,
        check=False,
    )


def test_ansible_lint_finds_nothing(tmp_path: Path) -> None:
    done = ansible(tmp_path, "ansible-lint", "--offline", "--strict", "--profile=production", "site.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = ansible(
        tmp_path,
        "ansible-playbook",
        *("--inventory", "forwarders,", "--connection", "local"),
        *(
            "--extra-vars",
            f"forwarder_wheel=/nowhere.whl ansible_become=false ansible_python_interpreter={sys.executable}",
        ),
        "site.yml",
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "forwarder_wheel: '/nowhere.whl' is not a file; expected" in done.stdout + done.stderr
