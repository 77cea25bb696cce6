"""What the tests of EPICS clients get from pytest."""

from tests.support.ca_loops import run

__all__ = ["run"]
