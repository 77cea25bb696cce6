"""This service's own certificate and its key, as files that settings name: what is wrong with them, in words."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .errors import BadSetting

_NO_KEY = ("", "PEM_LIB", "NO_START_LINE")
"""What OpenSSL says of a file without a key, by its version."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files, and the names of the settings that say which."""

    certificate: Path
    key: Path | None
    """None: it is in the file of the certificate."""
    certificate_setting: str
    key_setting: str

    def load_into(self, context: ssl.SSLContext) -> None:
        """Identify with it in connections of this context. Raises BadSetting for files that are of no use."""
        for name, file in ((self.certificate_setting, self.certificate), (self.key_setting, self.key)):
            if file is not None:
                check_readable(name, file)
        try:
            context.load_cert_chain(self.certificate, self.key, self._no_passphrase)
        except ssl.SSLError as error:
            raise self._wrong(error.reason or "") from None

    def _no_passphrase(self) -> NoReturn:
        # Without this, OpenSSL would ask for it on the terminal and wait.
        inside = self.key is None
        name, file = (self.certificate_setting, self.certificate) if inside else (self.key_setting, self.key)
        raise BadSetting(f'{name}: the key in "{file}" has a passphrase; allowed: a key without')

    def _wrong(self, reason: str) -> BadSetting:
        """`reason` is OpenSSL's, which has no word for what is in which file."""
        if not _has_certificate(self.certificate):
            return holds_no(self.certificate_setting, self.certificate, "certificate")
        if reason == "KEY_VALUES_MISMATCH":
            return BadSetting(
                f'{self.key_setting}: "{self.key or self.certificate}" is not the key of "{self.certificate}"'
            )
        if reason not in _NO_KEY:
            words = reason.replace("_", " ").lower()
            return BadSetting(f'{self.certificate_setting}: "{self.certificate}": {words}')
        if self.key is None:
            return BadSetting(f'{self.key_setting}: not set, and "{self.certificate}" holds no key either')
        return holds_no(self.key_setting, self.key, "private key")


def check_readable(name: str, file: Path) -> None:
    """Raises BadSetting for a file, named by this setting, that can't be read."""
    try:
        file.open("rb").close()
    except OSError as error:
        raise BadSetting(f'{name}: "{file}" cannot be read: {error.strerror}') from None


def holds_no(name: str, file: Path | None, what: str) -> BadSetting:
    """The error for a file, named by this setting, in which something is missing."""
    return BadSetting(f'{name}: "{file}" holds no {what}; allowed: a file in the format PEM')


def _has_certificate(file: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return False
    return True
