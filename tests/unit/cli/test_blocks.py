"""`forwarder blocks`, and the name that a site starts it by."""

import sys

import pytest

from forwarder.cli import blockserver_to_kafka
from tests.unit.settings.test_blocks import GIVEN

FLAGS = [word for name, (value,) in GIVEN.items() for word in (f"--{name}", value)]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Exit code and stderr."""
    with pytest.raises(SystemExit) as ended:
        blockserver_to_kafka(arguments)
    return ended.value.code, capsys.readouterr().err


def test_the_settings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        blockserver_to_kafka([*FLAGS, "--show-settings"])
    assert ended.value.code == 0
    assert "LARMOR_forwarderConfig  (the instrument)" in capsys.readouterr().out


def test_what_is_missing_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MYPVPREFIX", "INSTRUMENT"):
        monkeypatch.delenv(name, raising=False)
    code, err = said(capsys)
    assert code == 2
    assert err.startswith("forwarder: prefix: not set in any place")
    assert err.count("\n") == 1


def test_a_database_without_its_library_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiomysql", None)
    code, err = said(capsys, *FLAGS, "--ca-auto-addr-list", "no")
    assert code == 2
    assert "archive: the module aiomysql is not installed; allowed:" in err.splitlines()[-1]


def test_pairs_are_understood_as_in_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = said(capsys, *FLAGS, "-S", "sasl.username", "me", "security.protocol", "PLAINTEXT", "--show-settings")
    assert code == 0
