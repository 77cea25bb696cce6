"""`forwarder run`. Its flags are those of the table of settings."""

from ..settings.load import read
from ..settings.table import TABLE
from ..settings.types import Settings
from .serving import serving


def _main(settings: Settings) -> int:
    # Only here: help and settings come at once.
    from ..service import main

    return main(settings)


run = serving(
    "run",
    TABLE,
    "Forward PV updates to Kafka until told to stop.",
    read,
    lambda settings: settings.service_id,
    _main,
    """
forwarder run --profile production
forwarder run --profile production --show-settings
forwarder run --config-topic b:9092/INST_forwarderConfig --status-topic INST_forwarderStatus --service-id inst-1
forwarder run -c /etc/forwarder.toml --http 8080 --log-directory /var/log/forwarder
""",
)
