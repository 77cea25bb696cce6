"""What a PV may be given as, to be looked for."""

import pytest

from forwarder.errors import BadSetting
from forwarder.model import Transport
from forwarder.tools.check_epics import Asked, asked

BOTH = (Transport.CA, Transport.PVA)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A:B", Asked("A:B", BOTH)),
        ("ca://A:B", Asked("A:B", (Transport.CA,))),
        ("pva://A:B", Asked("A:B", (Transport.PVA,))),
    ],
)
def test_a_pv(text: str, wanted: Asked) -> None:
    assert asked(text) == wanted


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cva://A", 'pv: "cva://A" begins with no transport that there is; allowed: NAME, ca://NAME or pva://NAME'),
        ("ca://", 'pv: "ca://": no channel'),
        ("A B", "pv: \"A B\": channel 'A B' has ' ', which no PV name has"),
    ],
)
def test_what_is_none(text: str, complaint: str) -> None:
    with pytest.raises(BadSetting) as refused:
        asked(text)
    assert str(refused.value) == complaint
