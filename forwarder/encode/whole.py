"""Numbers as whole ones, for the formats that have no place for fractions."""

import numpy as np
import numpy.typing as npt

from ..errors import CannotEncode

_LIMIT = 2.0**63


def whole(numbers: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.int64]:
    """The nearest 64-bit integers. Raises CannotEncode with `what` when one of the numbers has none, such as NaN."""
    if numbers.dtype.kind == "f":
        rounded = np.rint(numbers)
        # Written so that NaN fails it too.
        if not (np.abs(rounded) < _LIMIT).all():
            raise CannotEncode(f"{what}: NaN, infinity and numbers beyond 64 bits are not whole numbers")
        return rounded.astype("<i8")
    if numbers.dtype.kind == "u" and numbers.size and int(numbers.max()) >= 2**63:
        raise CannotEncode(f"{what}: {numbers.max()} is beyond 63 bits")
    return numbers.astype("<i8")
