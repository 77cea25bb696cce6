"""The settings of pvAccess: ours, and EPICS's own variables for the same things."""

import pytest

from forwarder.errors import BadSetting
from forwarder.settings.load import load
from forwarder.settings.types import PvAccessSettings


def test_nothing_given_is_what_epics_does() -> None:
    pva = load({}, {}).pva
    assert pva == PvAccessSettings()
    assert (pva.addr_list, pva.auto_addr_list, pva.name_servers) == ((), True, ())
    assert (pva.broadcast_port, pva.server_port, pva.conn_timeout_s) == (5076, 5075, 30)


def test_every_setting_of_epics() -> None:
    environment = {
        "EPICS_PVA_ADDR_LIST": "ioc1 ioc2:6076",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_NAME_SERVERS": "gw:5075",
        "EPICS_PVA_BROADCAST_PORT": "6076",
        "EPICS_PVA_SERVER_PORT": "6075",
        "EPICS_PVA_CONN_TMO": "15.5",
    }
    assert load({}, environment).pva == PvAccessSettings(("ioc1", "ioc2:6076"), False, ("gw:5075",), 6076, 6075, 15.5)


def test_every_flag() -> None:
    flags = {
        "pva-addr-list": ["a b:1"],
        "pva-auto-addr-list": ["no"],
        "pva-name-servers": ["c"],
        "pva-broadcast-port": ["2"],
        "pva-server-port": ["3"],
        "pva-conn-tmo": ["4"],
        "pva-queue-size": ["5"],
    }
    assert load(flags, {}).pva == PvAccessSettings(("a", "b:1"), False, ("c",), 2, 3, 4, 5)


def test_our_variables_win_over_those_of_epics_and_flags_over_both() -> None:
    environment = {"EPICS_PVA_ADDR_LIST": "a", "PVA_ADDR_LIST": "b"}
    assert load({}, environment).pva.addr_list == ("b",)
    assert load({}, environment | {"FORWARDER_PVA_ADDR_LIST": "c"}).pva.addr_list == ("c",)
    assert load({"pva-addr-list": ["d"]}, environment).pva.addr_list == ("d",)


def test_the_two_protocols_have_lists_of_their_own() -> None:
    settings = load({}, {"EPICS_CA_ADDR_LIST": "a", "EPICS_PVA_ADDR_LIST": "b"})
    assert (settings.ca.addr_list, settings.pva.addr_list) == (("a",), ("b",))


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("pva-queue-size", "1", "is out of range; allowed: a whole number from 2 to 1000000"),
        ("pva-broadcast-port", "65536", "is out of range; allowed: a whole number from 1 to 65535"),
        ("pva-conn-tmo", "soon", "is not a number of seconds; allowed: a number of seconds from 0.1 to 86400"),
        ("pva-addr-list", "ioc:x", "has a port that is not a number from 1 to 65535; allowed: host[:port] with spaces"),
    ],
)
def test_a_wrong_one_is_one_line(name: str, text: str, complaint: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load({name: [text]}, {})
    assert str(caught.value).startswith(f'{name}: "{text}" from the flag --{name} {complaint}')
