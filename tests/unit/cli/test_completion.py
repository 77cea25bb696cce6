"""What shells are told, and what they are answered."""

import os
import subprocess
import sys

import pytest

from forwarder.cli import main


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


def test_bash_takes_it() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "forwarder", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p forwarder"], capture_output=True, text=True, check=True
    )
    assert "_forwarder_completion" in done.stdout
