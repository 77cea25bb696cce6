"""Where the HTTP server listens, and who may read."""

from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.settings.load import load, read
from forwarder.settings.types import HttpSettings

ALLOWED = "allowed: host:port or port, where 0 is any that is free, or none"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        (":8080", "127.0.0.1", 8080),
        (" 8080 ", "127.0.0.1", 8080),
        ("0", "127.0.0.1", 0),
        ("0.0.0.0:8080", "0.0.0.0", 8080),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("host.example:1", "host.example", 1),
        ("[::1]:8080", "::1", 8080),
        ("[::]:0", "::", 0),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    assert load({"http": [text]}, {}).http == HttpSettings(host, port)
    assert load({}, {"FORWARDER_HTTP": text}).http == HttpSettings(host, port)


def test_nothing_is_served_unless_asked_for() -> None:
    assert load({}, {}).http is None
    assert load({"http": ["none"]}, {"FORWARDER_HTTP": "8080"}).http is None
    assert load({"http-user": ["me"]}, {"HTTP": "8080", "HTTP_USER": "you"}).http is None, "others use these names"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("host", "has a port that is not a number from 1 to 65535"),
        ("70000", "has a port that is not a number from 1 to 65535"),
        ("-1", "has a port that is not a number from 1 to 65535"),
        ("a b:1", "has a host with characters no host name has"),
        ("::1:8080", "has more than one colon in a host; an IPv6 address is written in brackets, [::1]:9092"),
    ],
)
def test_what_is_no_address(text: str, complaint: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load({"http": [text]}, {})
    assert str(caught.value) == f'http: "{text}" from the flag --http {complaint}; {ALLOWED}'


def test_a_user_and_a_password(tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text("from file\n")
    user = {"http": ["1"], "http-user": ["me"]}
    assert load(user, {"FORWARDER_HTTP_PASSWORD": "x"}).http == HttpSettings("127.0.0.1", 1, "me", "x")
    assert load({**user, "http-password-file": [str(secret)]}, {}).http == HttpSettings(
        "127.0.0.1", 1, "me", "from file"
    )
    assert "hunter2" not in repr(read({**user, "http-password": ["hunter2"]}, {}))


WRONG = {
    "no password": ({"http-user": ["me"]}, {},
        "http-password: not set in any place, but http-user is set; allowed: any text, by the environment variable "
        "FORWARDER_HTTP_PASSWORD or --http-password-file"),
    "no user": ({}, {"FORWARDER_HTTP_PASSWORD": "x"},
        "http-user: not set in any place, but http-password is set; allowed: any text without a colon, by the "
        "environment variable FORWARDER_HTTP_USER or --http-user"),
    "a colon": ({"http-user": ["a:b"]}, {"FORWARDER_HTTP_PASSWORD": "x"},
        'http-user: "a:b" from the flag --http-user has a colon; allowed: any text without a colon'),
    "no certificate": ({"http-key-file": [__file__]}, {},
        "http-cert-file: not set in any place, but http-key-file is set; allowed: a file that exists, by the "
        "environment variable FORWARDER_HTTP_CERT_FILE or --http-cert-file"),
}  # fmt: skip


@pytest.mark.parametrize(("flags", "environment", "line"), WRONG.values(), ids=WRONG)
def test_half_of_what_is_needed_is_one_line(
    flags: dict[str, list[str]], environment: dict[str, str], line: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        load({"http": ["8080"], **flags}, environment)
    assert str(caught.value) == line


def test_a_password_that_travels_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    account = {"http-user": ["me"]}, {"FORWARDER_HTTP_PASSWORD": "x"}
    (warning,) = read({"http": ["0.0.0.0:1"], **account[0]}, account[1]).warnings
    assert warning == "http-password: travels unencrypted to 0.0.0.0; give --http-cert-file to serve HTTPS"
    assert not read({"http": ["1"], **account[0]}, account[1]).warnings
    (certificate := tmp_path / "c.pem").touch()
    assert not read({"http": ["h:1"], "http-cert-file": [str(certificate)], **account[0]}, account[1]).warnings


def test_settings_without_an_address_have_no_effect() -> None:
    (warning,) = read({"http-user": ["me"]}, {"FORWARDER_HTTP_PASSWORD": "x"}).warnings
    assert warning == "http-user: has no effect, http is not set"
