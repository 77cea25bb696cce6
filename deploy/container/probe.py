"""Whether the forwarder in this container lives: the image has no curl. It asks where --http says, on this machine."""

import os
import sys
import urllib.request

port = os.environ.get("FORWARDER_HTTP", "").rpartition(":")[2]
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/live", timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except (OSError, ValueError) as error:
    sys.exit(f"http://127.0.0.1:{port}/live: {error}")
