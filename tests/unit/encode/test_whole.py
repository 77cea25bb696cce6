"""Numbers as whole ones."""

import numpy as np
import pytest

from forwarder.encode.whole import whole
from forwarder.errors import CannotEncode


@pytest.mark.parametrize("number", [2**63 - 1, 2**63 - 512, 0])
def test_large_unsigned_numbers_that_fit_stay_exact(number: int) -> None:
    assert whole(np.array([number], np.uint64), "PV").tolist() == [number]


def test_unsigned_numbers_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(CannotEncode, match="PV: 9223372036854775808 is beyond 63 bits"):
        whole(np.array([1, 2**63], np.uint64), "PV")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 2.0**63])
def test_what_is_no_whole_number_is_refused(number: float) -> None:
    with pytest.raises(CannotEncode):
        whole(np.array([number]), "PV")
