"""Command lines as they were typed for the forwarders before this one."""

import pytest

from forwarder.cli.arguments import understood

CASES = {
    "a command": (["run", "-s"], ["run", "-s"]),
    "no command": (["--config-topic", "b/t", "-s"], ["run", "--config-topic", "b/t", "-s"]),
    "short flag first": (["-c", "f.ini"], ["run", "-c", "f.ini"]),
    "help": (["--help"], ["--help"]),
    "version": (["--version"], ["--version"]),
    "another command": (["demo", "-S", "a", "b", "c", "d"], ["demo", "-S", "a", "b", "c", "d"]),
    "pairs": (["-S", "a", "1", "b", "2", "-s"], ["run", "-S", "a", "1", "-S", "b", "2", "-s"]),
    "a negative value": (["run", "-S", "acks", "-1", "-s"], ["run", "-S", "acks", "-1", "-s"]),
    "half a pair": (["run", "-S", "a"], ["run", "-S", "a"]),
    "nothing": ([], ["--help"]),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_understood(given: list[str], expected: list[str]) -> None:
    assert understood(given, {}) == expected


@pytest.mark.parametrize("variable", ["CONFIG_TOPIC", "FORWARDER_CONFIG_TOPIC", "CONFIG_FILE"])
def test_a_container_runs_by_its_environment_alone(variable: str) -> None:
    assert understood([], {variable: "x"}) == ["run"]
