"""What PromQL says, as far as tests have to know."""

import re

_NAME = re.compile(r"\b(?:forwarder|process)_[a-z_]+\b")
_OF_A_HISTOGRAM = ("_bucket", "_sum", "_count")


def names_in(promql: str) -> set[str]:
    """The metrics that are named; of a histogram the name without what its series add."""
    return {_whole(name) for name in _NAME.findall(promql)}


def _whole(name: str) -> str:
    for ending in _OF_A_HISTOGRAM:
        if name.startswith("forwarder_") and name.endswith(ending):
            return name.removesuffix(ending)
    return name
