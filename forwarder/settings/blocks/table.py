"""All settings of `forwarder blocks`."""

from dataclasses import replace
from typing import Any

from .. import parse
from .. import table as t
from ..setting import Kind, Setting, Table
from ..types import Dialect

PREFIX = Setting(
    "prefix",
    parse.prefix,
    "What the names of the instrument's PVs begin with, such as IN:LARMOR: or TE:NDW1234:.",
    "a text that ends with a colon",
    "Instrument",
    shared_variables=("MYPVPREFIX",),
    # Too many programs are installed under a PREFIX.
    bare_variable=False,
    metavar="PREFIX",
)
INSTRUMENT = Setting(
    "instrument",
    parse.instrument,
    "What the names of its topics begin with: blocks go to INST_sampleEnv, the run log to INST_runLog.",
    "letters, digits, dots, hyphens and underscores",
    "Instrument",
    metavar="INST",
)
NO_BLOCKS = Setting(
    "no-blocks",
    parse.yes_or_no,
    "Leave out the blocks, and do not look for a block server.",
    "yes or no",
    "Instrument",
    Kind.SWITCH,
    "no",
    bare_variable=False,
)
NO_RUN_LOG = Setting(
    "no-run-log",
    parse.yes_or_no,
    "Leave out the run log: the PVs of PREFIXDAE: that tell of counts, frames and current.",
    "yes or no",
    "Instrument",
    Kind.SWITCH,
    "no",
    bare_variable=False,
)
NO_ARCHIVE = Setting(
    "no-archive",
    parse.yes_or_no,
    "Leave out the PVs that are flagged for archiving in the instrument's database.",
    "yes or no",
    "Instrument",
    Kind.SWITCH,
    "no",
    bare_variable=False,
)
BLOCK_SCHEMA = Setting(
    "block-schema",
    parse.schema,
    "Schema of blocks and archived PVs; the run log is f144. If not given: as the profile says.",
    "the name of a schema, such as f142 or f144",
    "Instrument",
    metavar="NAME",
)
DATABASE = Setting(
    "database",
    parse.database,
    "Where MariaDB or MySQL serves iocdb.pvinfo.",
    "host[:port] or the path of a socket",
    "Archive",
    default="localhost:3306",
    bare_variable=False,
    metavar="HOST:PORT",
)
DATABASE_USER = Setting(
    "database-user",
    parse.word,
    "Who asks the database; may only need to read.",
    "any text",
    "Archive",
    default="iocdb",
    bare_variable=False,
)
DATABASE_PASSWORD = Setting(
    "database-password",
    parse.secret,
    "Password of --database-user. A flag is seen by everybody on the machine: prefer the variable or the file.",
    "any text",
    "Archive",
    bare_variable=False,
    secret=True,
)
DATABASE_PASSWORD_FILE = Setting(
    "database-password-file",
    parse.existing_file,
    "File that holds what --database-password says.",
    "a file that exists",
    "Archive",
    bare_variable=False,
    metavar="FILE",
)
ARCHIVE_PERIOD = Setting(
    "archive-period",
    parse.seconds(0.1, 86_400),
    "Seconds between two looks at the database.",
    "a number of seconds from 0.1 to 86400",
    "Archive",
    default="30",
    metavar="S",
)
DIALECT = Setting(
    "dialect",
    parse.Choice(*(dialect.value for dialect in Dialect)),
    "What the forwarder understands; json for the C++ one.",
    "fc00 or json",
    "Kafka",
    default="fc00",
    bare_variable=False,
    metavar="NAME",
)
SERVICE_ID = replace(
    t.SERVICE_ID, help="The forwarder that is meant. If not given: the one that reads the config topic."
)
STATE_DIRECTORY = replace(
    t.STATE_DIRECTORY,
    help="Directory of this process alone, for what it has announced; if not given, one with the name of the "
    "instrument under ~/.local/state.",
)
CONFIG_TOPIC = replace(
    t.CONFIG_TOPIC,
    help="Topic to send commands to. If not given: INST_forwarderConfig in the cluster of --output-broker.",
    kind=Kind.ONE,
    aliases=(),
)
STATUS_TOPIC = replace(
    t.STATUS_TOPIC,
    help="Topic of the forwarder's status, which is compared with what is wanted. If not given: that of the profile, "
    "without one INST_forwarderStatus, and with --config-topic none.",
    aliases=(),
)
STORAGE_TOPIC = replace(
    t.STORAGE_TOPIC,
    help="Topic that has the forwarder's streams where its status leaves them out; found as --status-topic is.",
)
OUTPUT_BROKER = replace(
    t.OUTPUT_BROKER,
    help="Cluster that the topics of streams name. If not given: they name none, and the streams go to the "
    "forwarder's own cluster.",
    aliases=(),
)
STOP_TIMEOUT = replace(t.STOP_TIMEOUT, help="Seconds that the whole stop may take before it is ended by force.")
HTTP = replace(t.HTTP, help="Where /live, /ready and /metrics are served. A port alone is one of the loopback.")
LOG_DIRECTORY = replace(
    t.LOG_DIRECTORY, help="Directory to log in, besides the console: to log-folder/blocks.log in it."
)
LOG_FOLDER = replace(
    t.LOG_FOLDER,
    help="Folder of this process in log-directory. If not given: as the profile says, or one with the name of the "
    "instrument.",
)

_TOPICS = (CONFIG_TOPIC, STATUS_TOPIC, STORAGE_TOPIC, OUTPUT_BROKER)
PASSWORDS = (*(each for each in t.PASSWORDS if each is not t.ALLOWED_OUTPUT_PASSWORD), t.HTTP_PASSWORD)

SETTINGS: tuple[Setting[Any], ...] = (
    t.CONFIG_FILE,
    t.PROFILE,
    SERVICE_ID,
    STATE_DIRECTORY,
    t.EVENT_LOOP,
    STOP_TIMEOUT,
    PREFIX,
    INSTRUMENT,
    NO_BLOCKS,
    NO_RUN_LOG,
    NO_ARCHIVE,
    BLOCK_SCHEMA,
    DATABASE,
    DATABASE_USER,
    DATABASE_PASSWORD,
    DATABASE_PASSWORD_FILE,
    ARCHIVE_PERIOD,
    *_TOPICS,
    DIALECT,
    t.KAFKA_CONFIG,
    *(
        setting
        for password in PASSWORDS
        if password is not t.HTTP_PASSWORD
        for setting in (password, t.PASSWORD_FILES[password.name])
    ),
    *t.SECURITY,
    t.NEVER_CONNECTED_AFTER,
    *(setting for setting in t.SETTINGS if setting.name.startswith("ca-")),
    *(
        {each.name: each for each in (LOG_DIRECTORY, LOG_FOLDER)}.get(setting.name, setting)
        for setting in t.SETTINGS
        if setting.group == t.VERBOSITY.group and setting is not t.STATISTICS_INTERVAL
    ),
    HTTP,
    *(setting for setting in t.SETTINGS if setting.group == t.HTTP.group and setting is not t.HTTP),
)

TABLE = Table(SETTINGS)
