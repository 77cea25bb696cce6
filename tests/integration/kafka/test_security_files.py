"""Files that are of no use as certificates stop the service at its start, and say by which setting they came."""

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.kafka.security import connection_options
from forwarder.settings.load import read
from forwarder.settings.types import Security
from tests.support.certificates import Authority, Pair
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import spawn


@dataclass(frozen=True, slots=True)
class Files:
    """What a user may have mixed up."""

    authority: Path
    pair: Pair
    other: Pair
    locked: Pair
    text: Path
    missing: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    authority = Authority(folder, "authority")
    text = folder / "text.pem"
    text.write_text("no certificate\n")
    return Files(
        authority.certificate,
        authority.issue("mine"),
        authority.issue("other"),
        authority.issue("locked", passphrase="opens it"),
        text,
        folder / "missing.pem",
    )


def tls(ca: Path, certificate: Path | None = None, key: Path | None = None) -> Security:
    return Security("SSL", ca_file=ca, certificate_file=certificate, key_file=key)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (lambda f: tls(f.text), 'ssl-ca-cert-file: "{text}" holds no certificate; allowed: a file in the format PEM'),
        (lambda f: tls(f.pair.key), 'ssl-ca-cert-file: "{key}" holds no certificate'),
        (lambda f: tls(f.missing), 'ssl-ca-cert-file: "{missing}" cannot be read: No such file or directory'),
        (lambda f: tls(f.authority, f.text), 'ssl-cert-file: "{text}" holds no certificate'),
        (lambda f: tls(f.authority, f.text, f.pair.key), 'ssl-cert-file: "{text}" holds no certificate'),
        (lambda f: tls(f.authority, f.pair.key, f.pair.certificate), 'ssl-cert-file: "{key}" holds no certificate'),
        (lambda f: tls(f.authority, f.missing, f.pair.key), 'ssl-cert-file: "{missing}" cannot be read'),
        (lambda f: tls(f.authority, f.pair.certificate), 'ssl-key-file: not set, and "{certificate}" holds no key'),
        (lambda f: tls(f.authority, f.pair.certificate, f.text), 'ssl-key-file: "{text}" holds no private key'),
        (
            lambda f: tls(f.authority, f.pair.certificate, f.other.key),
            'ssl-key-file: "{other_key}" is not the key of "{certificate}"',
        ),
        (lambda f: tls(f.authority, f.pair.certificate, f.missing), 'ssl-key-file: "{missing}" cannot be read'),
        (
            lambda f: tls(f.authority, f.locked.certificate, f.locked.key),
            'ssl-key-file: the key in "{locked_key}" has a passphrase; allowed: a key without',
        ),
        (lambda f: tls(f.authority, f.locked.both), 'ssl-cert-file: the key in "{locked_both}" has a passphrase'),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_setting(
    files: Files, settings: Callable[[Files], Security], said: str
) -> None:
    places = {
        "text": files.text,
        "missing": files.missing,
        "key": files.pair.key,
        "certificate": files.pair.certificate,
        "other_key": files.other.key,
        "locked_key": files.locked.key,
        "locked_both": files.locked.both,
    }
    with pytest.raises(BadSetting) as error:
        connection_options(settings(files))
    assert said.format(**places) in str(error.value)


def test_certificate_and_key_may_be_in_one_file_or_in_two(files: Files) -> None:
    connection_options(tls(files.authority, files.pair.both))
    connection_options(tls(files.authority, files.pair.certificate, files.pair.key))


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_every_context_verifies_the_broker_and_its_host(files: Files, protocol: str) -> None:
    contexts: list[ssl.SSLContext] = []
    for ca in (None, files.authority):
        context = connection_options(Security(protocol, "PLAIN", "alice", "word", ca))["ssl_context"]
        connection = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="kafka.example")
        contexts += [context, connection.context]
    for context in contexts:
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert all(context.minimum_version >= ssl.TLSVersion.TLSv1_2 for context in contexts[1::2])


@pytest.mark.parametrize(
    "option",
    [
        ("enable.ssl.certificate.verification", "false"),
        ("ssl.endpoint.identification.algorithm", "none"),
    ],
)
def test_an_option_that_would_switch_verification_off_has_no_effect_and_is_told(option: tuple[str, str]) -> None:
    plain = {"config-topic": ["SSL+kafka.example:9093/config"]}
    reading = read({**plain, "kafka-config": list(option)}, {})
    assert reading.settings == read(plain, {}).settings
    assert any(option[0] in warning and "has no meaning here" in warning for warning in reading.warnings)


def test_the_service_ends_with_exit_code_2_and_one_line(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    address = f"SSL+{LOOPBACK}:{free_port()}"
    command = [
        *(sys.executable, "-m", "forwarder", "run", "--config-topic", f"{address}/config"),
        *("--ssl-ca-cert-file", str(files.authority), "--ssl-cert-file", str(files.pair.certificate)),
        *("--ssl-key-file", str(files.other.key), "--state-directory", str(tmp_path)),
    ]
    with spawn("forwarder", command, environment={"EPICS_CA_AUTO_ADDR_LIST": "NO"}) as child:
        assert child.wait(20) == 2
        assert child.log_tail(1) == (
            f'forwarder: ssl-key-file: "{files.other.key}" is not the key of "{files.pair.certificate}"'
        )
        assert "Traceback" not in child.log()


def test_openssl_s_variable_for_authorities_is_not_taken_for_a_certificate_of_ours(files: Files) -> None:
    reading = read({"config-topic": ["SSL+kafka.example:9093/config"]}, {"SSL_CERT_FILE": str(files.authority)})
    assert reading.settings.output.security.certificate_file is None
