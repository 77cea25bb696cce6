"""What shells are told, and what they are answered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.cli import main
from tests.support.terminal import TerminalCommand
from tests.support.waiting import wait_until


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_ask(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"_FORWARDER_COMPLETE={shell}_complete" in said
    assert "forwarder" in said


def answers(words: str) -> list[str]:
    environment = {
        **os.environ, "_FORWARDER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))
    }  # fmt: skip
    program = "import sys; sys.argv = ['forwarder']; from forwarder.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_and_flags_are_completed() -> None:
    assert answers("forwarder st") == ["streams"]
    assert answers("forwarder streams re") == ["remove", "replace"]
    assert "--output-broker" in answers("forwarder watch T --out")
    assert answers("forwarder streams add --dialect f") == ["fc00"]


def test_what_may_be_written_after_a_flag_is_completed() -> None:
    assert answers("forwarder watch T --profile ") == ["production", "development", "local"]
    assert answers("forwarder run --create-topics y") == ["yes"]
    assert answers("forwarder check --security-protocol sasl_s") == ["SASL_SSL"]
    assert answers("forwarder watch T --schema ev4") == ["ev42", "ev43", "ev44"]
    assert answers("forwarder streams add P --schema f14") == ["f142", "f144"]
    assert answers("forwarder streams list --schema f14") == ["f142", "f144"]


def test_a_user_of_bash_sees_it(tmp_path: Path) -> None:
    program = tmp_path / "forwarder"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m forwarder "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PS1": "ready> "}
    with TerminalCommand(["bash", "--norc", "--noprofile", "-i"], environment=environment) as terminal:
        terminal.type('eval "$(forwarder completion bash)"; echo d""one\n')
        wait_until(lambda: "done" in terminal.screen, 10.0, what="it is told")
        terminal.type("forwarder stre\tadd P --prof\tdev\t")
        wait_until(lambda: terminal.shows("forwarder streams add P --profile development"), 10.0)
        terminal.type("\x15forwarder streams re\t\t")
        wait_until(lambda: terminal.shows("remove   replace"), 10.0)


def test_bash_takes_it() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "forwarder", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p forwarder"], capture_output=True, text=True, check=True
    )
    assert "_forwarder_completion" in done.stdout
