"""The settings of a cluster's security, in the words of aiokafka."""

import ssl
from typing import Any

from forwarder.errors import BadSetting
from forwarder.settings.types import Security


def connection_options(security: Security) -> dict[str, Any]:
    """Options that aiokafka's connections and consumers take alike. Raises BadSetting for unreadable certificates."""
    return {
        "security_protocol": security.protocol,
        "ssl_context": _ssl_context(security) if "SSL" in security.protocol.split("_") else None,
        "sasl_mechanism": security.mechanism or "PLAIN",
        "sasl_plain_username": security.username or None,
        "sasl_plain_password": security.password or None,
    }


def _ssl_context(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
        if security.certificate_file:
            context.load_cert_chain(security.certificate_file, security.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(f) for f in (security.ca_file, security.certificate_file, security.key_file) if f)
        raise BadSetting(f"the certificates of the Kafka connection cannot be read: {files}: {error}") from None
    return context
