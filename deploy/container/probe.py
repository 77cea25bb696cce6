"""Whether the forwarder in this container lives: the image has no curl. It asks where --http says, on this machine."""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

TIMEOUT_S = 2
port = os.environ.get("FORWARDER_HTTP", "").rpartition(":")[2]
# The certificate is for the name that others use, and nobody is between two ends of the loopback.
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE


def asked(connection: HTTPConnection) -> int:
    """The answer's status."""
    connection.request("GET", "/live")
    return connection.getresponse().status


scheme = "http"
try:
    try:
        status = asked(HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S))
    except (HTTPException, ConnectionResetError):
        # Somebody listens and speaks something else: --http-cert-file may be set in a file, which is not read here.
        scheme = "https"
        status = asked(HTTPSConnection("127.0.0.1", int(port), timeout=TIMEOUT_S, context=tls))
except (OSError, ValueError, HTTPException) as error:
    sys.exit(f"{scheme}://127.0.0.1:{port}/live: {error or type(error).__name__}")
sys.exit(0 if status == 200 else 1)
