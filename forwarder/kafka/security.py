"""How this service and the brokers of a cluster come to trust each other, and what is wrong when they don't."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from forwarder.certificates import KeyPair, check_readable, holds_no
from forwarder.errors import BadSetting
from forwarder.faults import RepeatingFault
from forwarder.settings.types import Security

log = logging.getLogger(__name__)

_REST_S = (5.0, 20.0)
"""First and longest wait before a broker is asked again that has refused this service."""

_CA, _CERTIFICATE, _KEY = "ssl-ca-cert-file", "ssl-cert-file", "ssl-key-file"
_NOT_YET_VALID, _EXPIRED, _REVOKED = 9, 10, 23
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)
_ANOTHER_HOST = (62, 64)
"""Results of OpenSSL's verification (openssl-verification-options(1))."""
_OLD_TLS = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
_PROTOCOL = "see its address or security-protocol"


def connection_options(security: Security) -> dict[str, Any]:
    """Options that aiokafka's connections and consumers take alike. Raises BadSetting for unusable certificates."""
    return {
        "security_protocol": security.protocol,
        "ssl_context": _tls(security) if _has_tls(security) else None,
        "sasl_mechanism": security.mechanism or "PLAIN",
        "sasl_plain_username": security.username or None,
        "sasl_plain_password": security.password or None,
    }


def refusal(error: BaseException, security: Security, host: str) -> str | None:
    """What a broker and this service don't accept of each other, and where to set it; None: it is something else."""
    user = f"{security.protocol}, {security.mechanism}, user {security.username}"
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return _unverified(cause, host)
            case ssl.SSLError():
                return _tls_failed(cause.reason or str(cause), security)
            case SaslAuthenticationFailed():
                return f"the user or the password is not accepted ({user}): see its address and its sasl-password"
            case UnsupportedSaslMechanismError():
                return f"the SASL mechanism {security.mechanism} is not offered: see its address or sasl-mechanism"
            case IllegalSaslStateError():
                return f"it takes no user at this port ({user}): {_PROTOCOL}"
            case ValueError() | KeyError() if security.mechanism.startswith("SCRAM"):
                return f"it does not prove that it knows the password ({user})"
    return None


def closed_at_once(security: Security) -> str:
    """The most likely reasons why a broker hangs up before it has answered anything."""
    reasons = [f"it does not speak {security.protocol} at this port ({_PROTOCOL})"]
    if _has_tls(security) and security.certificate_file is None:
        reasons.append(f"it wants a certificate ({_CERTIFICATE})")
    return f"it closes the connection at once: it is not ready yet, or {', or '.join(reasons)}"


@dataclass(slots=True)
class _Rest:
    reason: str
    seconds: float
    until: float


class Refusals:
    """Brokers that have refused this service, and when to ask them again.

    To be asked all the time fills a broker's log, and too many wrong passwords lock an account.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._rests: dict[tuple[str, int], _Rest] = {}

    def standing(self, address: tuple[str, int]) -> str:
        """Why it is not worth while to ask this broker now; empty if it is."""
        rest = self._rests.get(address)
        return rest.reason if rest is not None and self._clock() < rest.until else ""

    def refused(self, address: tuple[str, int], reason: str) -> None:
        """It has refused. Of several attempts at the same time the first counts."""
        before = self._rests.get(address)
        if before is None or not self.standing(address):
            seconds = _REST_S[0] if before is None else min(2 * before.seconds, _REST_S[1])
            self._rests[address] = _Rest(reason, seconds, self._clock() + seconds)

    def accepted(self, address: tuple[str, int]) -> None:
        """It has let this service in."""
        self._rests.pop(address, None)


@cache
def refusals(security: Security) -> Refusals:
    """Those of the whole process: all its connections use the same account."""
    return Refusals(time.monotonic)


def _has_tls(security: Security) -> bool:
    return security.protocol.endswith("SSL")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _unverified(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = error.verify_code
    if code in (_NOT_YET_VALID, _EXPIRED):
        which = "has expired" if code == _EXPIRED else "is not valid yet"
        return f"the certificate of {host}, or of its authority, {which}"
    if code in _UNKNOWN_AUTHORITY:
        return f"the certificate of {host} is from an authority that is not trusted: see {_CA}"
    if code in _ANOTHER_HOST:
        return f"the certificate is for another host, not for {host}: see the address"
    if code == _REVOKED:
        return f"the certificate of {host} has been revoked"
    return f"the certificate of {host} is not accepted: {error.verify_message}"


def _tls_failed(reason: str, security: Security) -> str:
    if "ALERT" in reason and ("CERTIFICATE" in reason or "CA" in reason.split("_")):
        if security.certificate_file is None:
            return f"it wants a certificate of this service: see {_CERTIFICATE} and {_KEY}"
        words = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return (
            f'it does not accept the certificate in "{security.certificate_file}", which may have expired or be of an'
            f" authority it does not trust ({words}): see {_CERTIFICATE}"
        )
    if reason in _OLD_TLS:
        return "it speaks no TLS of version 1.2 or newer"
    if reason == "WRONG_VERSION_NUMBER":
        return f"it speaks no TLS at this port: {_PROTOCOL}"
    return f"TLS fails: {reason.replace('_', ' ').lower()}"


class _Tls(ssl.SSLContext):
    """Makes each connection with what the files hold by then: certificates are renewed while the service runs."""

    def __new__(cls, security: Security) -> "_Tls":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, security: Security) -> None:
        self._security = security
        self._seen = self._look()
        self._newest = _context(security)
        self._fault = RepeatingFault(log, "the certificates for Kafka can't be read again", time.monotonic)

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        seen = self._look()
        if seen != self._seen:
            try:
                self._newest = _context(self._security)
            except BadSetting as error:
                # One of two files may be written already, and the other not yet.
                self._fault.occurred(f"{error}; until then those from before are used")
            else:
                self._seen = seen
                self._fault.over()
                log.info("the certificates for Kafka were read again, because their files have changed")
        return self._newest.wrap_bio(*args, **options)

    def _look(self) -> list[tuple[int, ...] | None]:
        """Something that changes when a file does."""
        return [_mark(file) for _, file in _files(self._security)]


@cache
def _tls(security: Security) -> _Tls:
    return _Tls(security)


def _files(security: Security) -> list[tuple[str, Path]]:
    files = ((_CA, security.ca_file), (_CERTIFICATE, security.certificate_file), (_KEY, security.key_file))
    return [(name, file) for name, file in files if file is not None]


def _mark(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _context(security: Security) -> ssl.SSLContext:
    """Verifies the broker's certificate and its host. Raises BadSetting for files that are of no use."""
    if security.ca_file is not None:
        check_readable(_CA, security.ca_file)
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
    except ssl.SSLError:
        raise holds_no(_CA, security.ca_file, "certificate") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if security.certificate_file is not None:
        KeyPair(security.certificate_file, security.key_file, _CERTIFICATE, _KEY).load_into(context)
    return context


def _without_password(record: logging.LogRecord) -> bool:
    """Whether aiokafka may log this: a request to authenticate has the password in it."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    return not any(type(argument).__name__.startswith("SaslAuthenticate") for argument in arguments)


logging.getLogger("aiokafka.conn").addFilter(_without_password)
