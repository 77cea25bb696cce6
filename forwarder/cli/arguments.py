"""Command lines of the forwarders before this one, turned into ones that click reads."""

import os
from collections.abc import Mapping, Sequence

from ..settings.table import CONFIG_FILE, CONFIG_TOPIC

_OF_THE_GROUP = ("-h", "--help", "--version")
_SERVING = ("run", "blocks")
_PAIRS = ("-S", "--kafka-config")


def understood(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """The arguments with `run` in front where it was left out, and `-S a 1 b 2` as `-S a 1 -S b 2`.

    Nothing at all means `run` as well if the environment names a config topic or file, as it does in a container.
    """
    if not arguments:
        named = any(environment.get(name) for setting in (CONFIG_TOPIC, CONFIG_FILE) for name in setting.variables)
        return ["run"] if named else ["--help"]
    if arguments[0].startswith("-") and arguments[0] not in _OF_THE_GROUP:
        arguments = ["run", *arguments]
    return _single_pairs(arguments) if arguments[0] in _SERVING else list(arguments)


def _single_pairs(arguments: Sequence[str]) -> list[str]:
    done: list[str] = []
    rest = list(arguments)
    while rest:
        done.append(rest.pop(0))
        if done[-1] in _PAIRS:
            done += [rest.pop(0) for _ in rest[:2]]
            while len(rest) > 1 and not rest[0].startswith("-"):
                done += [_PAIRS[0], rest.pop(0), rest.pop(0)]
    return done
