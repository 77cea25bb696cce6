"""`forwarder blocks`, which a site knows as `BlockserverToKafka`. Its flags are those of its own table of settings."""

from ..settings.blocks.load import read
from ..settings.blocks.table import TABLE
from ..settings.blocks.types import BlocksSettings
from .serving import serving

_HELP = """Tell a forwarder what to forward of an instrument, until told to stop.

Its blocks, as the block server says which there are; its run log; and the PVs that are flagged for archiving. Only what
it has announced itself is ever removed again, and what goes on is not touched: several instruments share a forwarder.
The environment of an instrument is understood: MYPVPREFIX, INSTRUMENT, and ISIS_INSTRUMENT, where 1 stands for the
profile production and anything else for development.
"""


def _main(settings: BlocksSettings) -> int:
    # Only here: help and settings come at once.
    from ..companion.process import main

    return main(settings)


_EXAMPLES = """
forwarder blocks --instrument LARMOR --prefix IN:LARMOR: --profile production
forwarder blocks --instrument LARMOR --prefix IN:LARMOR: --output-broker broker:9092 --show-settings
"""

blocks = serving("blocks", TABLE, _HELP, read, lambda settings: settings.name, _main, _EXAMPLES)
