"""All settings of `forwarder run`."""

from pathlib import Path
from typing import Any

from . import parse
from .setting import Kind, Setting, Table
from .types import EventLoop, LogFormat
from .uri import MECHANISMS, PROTOCOLS, Address, cluster_address, topic_address


def _topic(name: str, help: str, *aliases: str, kind: Kind = Kind.ONE) -> Setting[Address]:
    return Setting(
        name,
        topic_address,
        help,
        r"[PROTOCOL+MECHANISM\user@]host[:port][,host[:port]][/topic] or topic",
        "Kafka",
        kind,
        aliases=aliases,
        metavar="ADDRESS",
    )


def _cluster(name: str, help: str, *aliases: str, kind: Kind = Kind.ONE) -> Setting[Address]:
    return Setting(
        name,
        cluster_address,
        help,
        r"[PROTOCOL+MECHANISM\user@]host[:port][,host[:port]]",
        "Kafka",
        kind,
        aliases=aliases,
        metavar="ADDRESS",
    )


def _password(whose: str, of: str) -> Setting[str]:
    return Setting(
        f"{whose}-password" if whose == "sasl" else f"{whose}-sasl-password",
        parse.secret,
        f"Password of the user of {of}. A flag is seen by everybody on the machine: prefer the variable or the file.",
        "any text",
        "Kafka security",
        secret=True,
    )


def _file(
    name: str, help: str, group: str = "Kafka security", *aliases: str, bare_variable: bool = True
) -> Setting[Path]:
    return Setting(
        name,
        parse.existing_file,
        help,
        "a file that exists",
        group,
        aliases=aliases,
        bare_variable=bare_variable,
        metavar="FILE",
    )


CONFIG_FILE = Setting(
    "config-file",
    parse.existing_file,
    "Settings as TOML, or as key=value lines.",
    "a file that exists",
    "Start",
    short="c",
    metavar="FILE",
)
PROFILE = Setting(
    "profile",
    parse.Choice("production", "development", "local"),
    "Values for all that is not given. Without a profile they are those of local, except that a given config topic "
    "turns off a status or storage topic that is not given.",
    "production, development or local",
    "Start",
    bare_variable=False,
    metavar="NAME",
)
SERVICE_ID = Setting(
    "service-id",
    parse.word,
    "Tells instances apart in status messages and connection events.",
    "any text",
    "Start",
)
SKIP_RETRIEVAL = Setting(
    "skip-retrieval",
    parse.yes_or_no,
    "Ignore the stored state at the start.",
    "yes or no",
    "Start",
    Kind.SWITCH,
    "no",
    short="s",
)
STREAMS_JSON = _file("streams-json", "Streams to start with, in JSON.", "Start")
EVENT_LOOP = Setting(
    "event-loop",
    parse.Choice(*(loop.value for loop in EventLoop)),
    "Event loop; auto is uvloop where there is one.",
    "auto, uvloop or asyncio",
    "Start",
    default="auto",
    metavar="NAME",
)
STOP_TIMEOUT = Setting(
    "stop-timeout",
    parse.seconds(1, 3600),
    "Seconds that the whole stop may take: sending what waits, keeping the rest on disk, and saying so. A second later "
    "the process is gone, so what manages the service must allow that much (systemd: TimeoutStopSec=).",
    "a number of seconds from 1 to 3600",
    "Start",
    default="10",
    metavar="S",
)

STATE_DIRECTORY = Setting(
    "state-directory",
    parse.path,
    "Directory of this instance alone; if not given, one with the name of service-id under ~/.local/state.",
    "a directory, which is made",
    "Start",
    metavar="DIRECTORY",
)

CONFIG_TOPIC = _topic(
    "config-topic",
    "Topic to read commands from; may be given several times.",
    "config-uri",
    "broker-config",
    kind=Kind.MANY,
)
STATUS_TOPIC = _topic("status-topic", "Topic for the service's status.", "status-uri")
STORAGE_TOPIC = _topic("storage-topic", "Topic that keeps the streams for the next start.")
OUTPUT_BROKER = _cluster(
    "output-broker",
    "Cluster of the streams whose topic names no host. If not given: that of the config topic.",
    "broker",
)
ALLOWED_OUTPUT = _cluster(
    "allowed-output", "Further cluster the topic of a stream may name; may be given several times.", kind=Kind.MANY
)
READ_CONFIG_FROM = Setting(
    "read-config-from",
    parse.Choice("end", "beginning"),
    "Where to begin in a config topic when no stored state says so.",
    "end or beginning",
    "Commands",
    default="end",
    metavar="NAME",
)
CREATE_TOPICS = Setting(
    "create-topics",
    parse.yes_or_no,
    "Whether brokers are asked to make topics that are missing. If not given: as the profile says.",
    "yes or no",
    "Kafka",
    metavar="YES|NO",
)
MAX_COMMAND_BYTES = Setting(
    "max-command-bytes",
    parse.whole(1_000, 1 << 30),
    "Largest message on a config topic that is read.",
    "a whole number from 1000 to 1073741824",
    "Commands",
    default="4194304",
    metavar="BYTES",
)
MAX_STREAMS = Setting(
    "max-streams",
    parse.whole(1, 10_000_000),
    "Most streams, of one message and in all.",
    "a whole number from 1 to 10000000",
    "Commands",
    default="100000",
    metavar="N",
)
MAX_NAME_LENGTH = Setting(
    "max-name-length",
    parse.whole(1, 65_535),
    "Most characters of a PV's name.",
    "a whole number from 1 to 65535",
    "Commands",
    default="1024",
    metavar="N",
)
ALLOWED_SCHEMAS = Setting(
    "allowed-schemas",
    parse.words,
    "Schemas that a stream may name; none given: all there are.",
    "names of schemas with spaces between",
    "Commands",
    default="",
    metavar="NAMES",
)
ALLOWED_TOPICS = Setting(
    "allowed-topics",
    parse.words,
    "Topics that a stream may name, with the wildcards ? and *; none given: all but those of this service itself.",
    "patterns with spaces between, such as: LARMOR_* NDW????_sampleEnv",
    "Commands",
    default="",
    metavar="PATTERNS",
)
OBEY_EXIT = Setting(
    "obey-exit",
    parse.yes_or_no,
    "Whether the command exit ends the service, for whoever can write to a config topic.",
    "yes or no",
    "Commands",
    default="no",
    metavar="YES|NO",
)
STATUS_INTERVAL = Setting(
    "status-interval",
    parse.milliseconds(100, 3_600_000),
    "Milliseconds between two status messages.",
    "a whole number from 100 to 3600000",
    "Kafka",
    default="4000",
    metavar="MS",
)
LINGER = Setting(
    "linger",
    parse.milliseconds(0, 10_000),
    "Milliseconds that updates are gathered into one batch.",
    "a whole number from 0 to 10000",
    "Kafka",
    default="19",
    metavar="MS",
)
MAX_BATCH_BYTES = Setting(
    "max-batch-bytes",
    parse.whole(1_000, 1_000_000_000),
    "Largest batch; not more than the broker's message.max.bytes.",
    "a whole number from 1000 to 1000000000",
    "Kafka",
    default="900000",
    metavar="BYTES",
)
MAX_WAITING_BYTES = Setting(
    "max-waiting-bytes",
    parse.whole(1_000_000, 1 << 40),
    "How much may wait in memory for a cluster that is away.",
    "a whole number from 1000000 to 1099511627776",
    "Kafka",
    default="256000000",
    metavar="BYTES",
)
SPOOL_DIRECTORY = Setting(
    "spool-directory",
    parse.directory,
    "Where messages go that Kafka does not take; if not given, spool in the state directory.",
    "a directory, which is made, or none for memory only",
    "Kafka",
    metavar="DIRECTORY",
)
SPOOL_MAX_BYTES = Setting(
    "spool-max-bytes",
    parse.whole(1_000_000, 1 << 50),
    "How much may lie in the spool; then the oldest go.",
    "a whole number from 1000000 to 1125899906842624",
    "Kafka",
    default="10000000000",
    metavar="BYTES",
)
SPOOL_AFTER = Setting(
    "spool-after",
    parse.milliseconds(10, 3_600_000),
    "Milliseconds that a message waits in memory until it goes to the spool.",
    "a whole number from 10 to 3600000",
    "Kafka",
    default="1000",
    metavar="MS",
)
REQUEST_TIMEOUT = Setting(
    "request-timeout",
    parse.milliseconds(1_000, 900_000),
    "Milliseconds a broker may take to answer.",
    "a whole number from 1000 to 900000",
    "Kafka",
    default="30000",
    metavar="MS",
)
COMPRESSION = Setting(
    "compression",
    parse.Choice("none", "gzip", "snappy", "lz4", "zstd"),
    "Compression of batches.",
    "none, gzip, snappy, lz4 or zstd",
    "Kafka",
    default="none",
    metavar="NAME",
)
KAFKA_CONFIG = Setting(
    "kafka-config",
    parse.secret,
    "Settings by librdkafka's names; those with no counterpart are only warned of.",
    "names and values in turn, such as: linger.ms 20 compression.type lz4",
    "Kafka",
    Kind.PAIRS,
    short="S",
    metavar="NAME VALUE",
)

CONFIG_TOPIC_PASSWORD = _password("config-topic", "config-topic")
STATUS_TOPIC_PASSWORD = _password("status-topic", "status-topic")
STORAGE_TOPIC_PASSWORD = _password("storage-topic", "storage-topic")
OUTPUT_BROKER_PASSWORD = _password("output-broker", "output-broker")
ALLOWED_OUTPUT_PASSWORD = _password("allowed-output", "allowed-output")
SASL_PASSWORD = _password("sasl", "every cluster that has no password of its own")
PASSWORDS = (
    CONFIG_TOPIC_PASSWORD,
    STATUS_TOPIC_PASSWORD,
    STORAGE_TOPIC_PASSWORD,
    OUTPUT_BROKER_PASSWORD,
    ALLOWED_OUTPUT_PASSWORD,
    SASL_PASSWORD,
)
PASSWORD_FILES = {
    password.name: _file(f"{password.name}-file", f"File that holds what --{password.name} says.")
    for password in PASSWORDS
}
SECURITY_PROTOCOL = Setting(
    "security-protocol",
    parse.Choice(*PROTOCOLS),
    "Security of every cluster whose address says nothing of it.",
    ", ".join(PROTOCOLS),
    "Kafka security",
    metavar="NAME",
)
SASL_MECHANISM = Setting(
    "sasl-mechanism",
    parse.Choice(*MECHANISMS),
    "SASL mechanism of every cluster whose address says nothing of it.",
    ", ".join(MECHANISMS),
    "Kafka security",
    metavar="NAME",
)
SASL_USERNAME = Setting(
    "sasl-username", parse.word, "User of every cluster whose address names none.", "any text", "Kafka security"
)
SSL_CA_CERT_FILE = _file("ssl-ca-cert-file", "Authorities to trust, PEM; if not given, those of the system.")
# To OpenSSL, SSL_CERT_FILE is a file of authorities; many machines have it set.
SSL_CERT_FILE = _file("ssl-cert-file", "This client's own certificate, PEM.", bare_variable=False)
SSL_KEY_FILE = _file("ssl-key-file", "Key of this client's certificate, PEM.")
SECURITY: tuple[Setting[Any], ...] = (
    SECURITY_PROTOCOL,
    SASL_MECHANISM,
    SASL_USERNAME,
    SSL_CA_CERT_FILE,
    SSL_CERT_FILE,
    SSL_KEY_FILE,
)
"""What holds for every cluster, beside the passwords."""

PV_UPDATE_PERIOD = Setting(
    "pv-update-period",
    parse.milliseconds(0, 86_400_000),
    "Milliseconds after which a value is repeated in periodic streams; 0: never.",
    "a whole number from 0 to 86400000",
    "EPICS",
    default="0",
    metavar="MS",
)
FAKE_PV_PERIOD = Setting(
    "fake-pv-period",
    parse.milliseconds(0, 86_400_000),
    "Milliseconds between two values of a fake PV; 0 stands for 1000.",
    "a whole number from 0 to 86400000",
    "EPICS",
    default="1000",
    metavar="MS",
)
NEVER_CONNECTED_AFTER = Setting(
    "never-connected-after",
    parse.seconds(0.1, 86_400),
    "Seconds a PV is searched before it is reported as never connected.",
    "a number of seconds from 0.1 to 86400",
    "EPICS",
    default="10",
    metavar="S",
)
SEND_OUT_OF_ORDER = Setting(
    "send-out-of-order",
    parse.yes_or_no,
    "Whether an update that is older than the newest of its PV is sent; either way it is counted.",
    "yes or no",
    "EPICS",
    default="yes",
    metavar="YES|NO",
)
FUTURE_LIMIT = Setting(
    "future-limit",
    parse.seconds(0, 1e9),
    "Seconds an update's time may lie in the future; beyond, its Kafka time is that of its receipt.",
    "a number of seconds from 0 to 1000000000",
    "EPICS",
    default="600",
    metavar="S",
)
PAST_LIMIT = Setting(
    "past-limit",
    parse.seconds(0, 1e10),
    "Seconds an update's time may lie in the past; beyond, its Kafka time is just within them; 0: any time.",
    "a number of seconds from 0 to 10000000000",
    "EPICS",
    default="0",
    metavar="S",
)
CA_ADDR_LIST = Setting(
    "ca-addr-list",
    parse.hosts,
    "Hosts to search PVs at, besides the broadcast addresses.",
    "host[:port] with spaces between",
    "EPICS",
    default="",
    shared_variables=("EPICS_CA_ADDR_LIST",),
    metavar="HOSTS",
)
CA_AUTO_ADDR_LIST = Setting(
    "ca-auto-addr-list",
    parse.yes_or_no,
    "Whether the broadcast addresses of this machine are searched too.",
    "yes or no",
    "EPICS",
    default="yes",
    shared_variables=("EPICS_CA_AUTO_ADDR_LIST",),
    metavar="YES|NO",
)
CA_NAME_SERVERS = Setting(
    "ca-name-servers",
    parse.hosts,
    "Hosts to search PVs at over TCP.",
    "host[:port] with spaces between",
    "EPICS",
    default="",
    shared_variables=("EPICS_CA_NAME_SERVERS",),
    metavar="HOSTS",
)
CA_SERVER_PORT = Setting(
    "ca-server-port",
    parse.whole(1, 65535),
    "Port of the hosts in a list that name none.",
    "a whole number from 1 to 65535",
    "EPICS",
    default="5064",
    shared_variables=("EPICS_CA_SERVER_PORT",),
    metavar="PORT",
)
CA_REPEATER_PORT = Setting(
    "ca-repeater-port",
    parse.whole(1, 65535),
    "Port of the repeater that beacons come from.",
    "a whole number from 1 to 65535",
    "EPICS",
    default="5065",
    shared_variables=("EPICS_CA_REPEATER_PORT",),
    metavar="PORT",
)
CA_MAX_ARRAY_BYTES = Setting(
    "ca-max-array-bytes",
    parse.whole(16_384, 1 << 31),
    "Largest value taken; larger ones are refused and counted.",
    "a whole number from 16384 to 2147483648",
    "EPICS",
    default="268435456",
    shared_variables=("EPICS_CA_MAX_ARRAY_BYTES",),
    metavar="BYTES",
)
CA_CONN_TMO = Setting(
    "ca-conn-tmo",
    parse.seconds(0.1, 86_400),
    "Seconds of silence after which a server is asked for a sign of life.",
    "a number of seconds from 0.1 to 86400",
    "EPICS",
    default="30",
    shared_variables=("EPICS_CA_CONN_TMO",),
    metavar="S",
)
CA_MAX_SEARCH_RATE = Setting(
    "ca-max-search-rate",
    parse.whole(1, 10_000),
    "Most search datagrams a second, however many PVs are missing.",
    "a whole number from 1 to 10000",
    "EPICS",
    default="300",
    metavar="N",
)
PVA_ADDR_LIST = Setting(
    "pva-addr-list",
    parse.hosts,
    "Hosts to search PVs at over pvAccess, besides the broadcast addresses.",
    "host[:port] with spaces between",
    "EPICS",
    default="",
    shared_variables=("EPICS_PVA_ADDR_LIST",),
    metavar="HOSTS",
)
PVA_AUTO_ADDR_LIST = Setting(
    "pva-auto-addr-list",
    parse.yes_or_no,
    "Whether the broadcast addresses of this machine are searched too over pvAccess.",
    "yes or no",
    "EPICS",
    default="yes",
    shared_variables=("EPICS_PVA_AUTO_ADDR_LIST",),
    metavar="YES|NO",
)
PVA_NAME_SERVERS = Setting(
    "pva-name-servers",
    parse.hosts,
    "Hosts to search PVs at over TCP with pvAccess.",
    "host[:port] with spaces between",
    "EPICS",
    default="",
    shared_variables=("EPICS_PVA_NAME_SERVERS",),
    metavar="HOSTS",
)
PVA_BROADCAST_PORT = Setting(
    "pva-broadcast-port",
    parse.whole(1, 65535),
    "UDP port that pvAccess searches go to where no other is named, and that its beacons come to.",
    "a whole number from 1 to 65535",
    "EPICS",
    default="5076",
    shared_variables=("EPICS_PVA_BROADCAST_PORT",),
    metavar="PORT",
)
PVA_SERVER_PORT = Setting(
    "pva-server-port",
    parse.whole(1, 65535),
    "TCP port of the pvAccess name servers that name none.",
    "a whole number from 1 to 65535",
    "EPICS",
    default="5075",
    shared_variables=("EPICS_PVA_SERVER_PORT",),
    metavar="PORT",
)
PVA_CONN_TMO = Setting(
    "pva-conn-tmo",
    parse.seconds(0.1, 86_400),
    "Seconds of silence after which a pvAccess server is given up, about; at least 2.",
    "a number of seconds from 0.1 to 86400",
    "EPICS",
    default="30",
    shared_variables=("EPICS_PVA_CONN_TMO",),
    metavar="S",
)
PVA_QUEUE_SIZE = Setting(
    "pva-queue-size",
    parse.whole(2, 1_000_000),
    "Updates of one PV that may wait to be read; then the newest replaces the last of them.",
    "a whole number from 2 to 1000000",
    "EPICS",
    default="1000",
    metavar="N",
)

TOPIC_REPLICATION = Setting(
    "topic-replication",
    parse.whole(1, 100),
    "Copies of each topic, if there are as many brokers.",
    "a whole number from 1 to 100",
    "Topics of an instrument",
    default="3",
    bare_variable=False,
    metavar="N",
)
TOPIC_EVENT_PARTITIONS = Setting(
    "topic-event-partitions",
    parse.whole(1, 1000),
    "Least partitions of the topics of events; all others have one, which keeps their order.",
    "a whole number from 1 to 1000",
    "Topics of an instrument",
    default="1",
    bare_variable=False,
    metavar="N",
)
TOPIC_RETENTION = Setting(
    "topic-retention",
    parse.days(0.01, 36_500),
    "Days that readings, runs and commands are kept.",
    "a number of days from 0.01 to 36500",
    "Topics of an instrument",
    default="7",
    bare_variable=False,
    metavar="DAYS",
)
TOPIC_EVENT_RETENTION = Setting(
    "topic-event-retention",
    parse.days(0.01, 36_500),
    "Days that events are kept.",
    "a number of days from 0.01 to 36500",
    "Topics of an instrument",
    default="1",
    bare_variable=False,
    metavar="DAYS",
)
TOPIC_STATUS_RETENTION = Setting(
    "topic-status-retention",
    parse.days(0.01, 36_500),
    "Days that the status of the forwarder is kept.",
    "a number of days from 0.01 to 36500",
    "Topics of an instrument",
    default="1",
    bare_variable=False,
    metavar="DAYS",
)

VERBOSITY = Setting(
    "verbosity",
    parse.level,
    "How much is logged; 1 to 5 are the C++ forwarder's Debug to Critical.",
    "Trace, Debug, Info, Warning, Error, Critical, or a number from 0 (Trace) to 7",
    "Logging",
    default="Info",
    short="v",
    aliases=("verbose",),
    metavar="LEVEL",
)
LOG_LEVEL = Setting(
    "log-level",
    parse.level_of_logger,
    "How much one logger and those below it say, such as forwarder.kafka=Debug; may be given several times.",
    "NAME=LEVEL, with a level as in verbosity",
    "Logging",
    Kind.MANY,
    # Too many programs have a LOG_LEVEL and a LOG_FORMAT.
    bare_variable=False,
    metavar="NAME=LEVEL",
)
LOG_FORMAT = Setting(
    "log-format",
    parse.Choice(*(form.value for form in LogFormat)),
    "Lines for people, or a JSON object each; on the console and in the file.",
    "text or json",
    "Logging",
    default="text",
    bare_variable=False,
    metavar="NAME",
)
LOG_DIRECTORY = Setting(
    "log-directory",
    parse.path,
    "Directory to log in, besides the console: to log-folder/forwarder.log.",
    "a directory, which is made",
    "Logging",
    metavar="DIRECTORY",
)
LOG_FOLDER = Setting(
    "log-folder",
    parse.path,
    "Folder of this instance in log-directory. If not given: as the profile says, or one with the name of service-id.",
    "a folder's name",
    "Logging",
    metavar="NAME",
)
LOG_FILE = Setting(
    "log-file",
    parse.path,
    "File to log to, besides the console; counts before log-directory.",
    "a file's name",
    "Logging",
    metavar="FILE",
)
LOG_FILE_BYTES = Setting(
    "log-file-bytes",
    parse.whole(0, 1 << 40),
    "Size at which a log file gives way to a new one; 0: never.",
    "a whole number from 0 to 1099511627776",
    "Logging",
    default="10000000",
    metavar="BYTES",
)
LOG_FILES_KEPT = Setting(
    "log-files-kept",
    parse.whole(1, 10_000),
    "Full log files kept beside the one that is written.",
    "a whole number from 1 to 10000",
    "Logging",
    default="5",
    metavar="N",
)
GRAYLOG = Setting(
    "graylog-logger-address",
    parse.graylog,
    "Graylog input that takes GELF, by UDP if nothing else is said.",
    "[udp://|tcp://]host[:port]",
    "Logging",
    metavar="HOST:PORT",
)
STATISTICS_INTERVAL = Setting(
    "statistics-update-interval",
    parse.seconds(0, 86_400),
    "Seconds between two lines of counts in the log; 0: never.",
    "a number of seconds from 0 to 86400",
    "Logging",
    default="0",
    metavar="S",
)

HTTP = Setting(
    "http",
    parse.listener,
    "Where /live, /ready, /metrics and the page of the streams are served. A port alone is one of the loopback.",
    "host:port or port, where 0 is any that is free, or none",
    "HTTP",
    bare_variable=False,
    metavar="HOST:PORT",
)
HTTP_USER = Setting(
    "http-user",
    parse.user,
    "Who may read all but /live and /ready; if not given, everybody may.",
    "any text without a colon",
    "HTTP",
    bare_variable=False,
    metavar="NAME",
)
HTTP_PASSWORD = Setting(
    "http-password",
    parse.secret,
    "Password of --http-user. A flag is seen by everybody on the machine: prefer the variable or the file.",
    "any text",
    "HTTP",
    bare_variable=False,
    secret=True,
)
PASSWORD_FILES[HTTP_PASSWORD.name] = _file(
    "http-password-file", "File that holds what --http-password says.", "HTTP", bare_variable=False
)
HTTP_CERT_FILE = _file("http-cert-file", "Certificate to serve HTTPS with, PEM.", "HTTP", bare_variable=False)
HTTP_KEY_FILE = _file(
    "http-key-file",
    "Key of --http-cert-file, PEM; if not given, it is in the same file.",
    "HTTP",
    bare_variable=False,
)

SETTINGS: tuple[Setting[Any], ...] = (
    CONFIG_FILE,
    PROFILE,
    SERVICE_ID,
    STREAMS_JSON,
    SKIP_RETRIEVAL,
    EVENT_LOOP,
    STOP_TIMEOUT,
    STATE_DIRECTORY,
    CONFIG_TOPIC,
    STATUS_TOPIC,
    STORAGE_TOPIC,
    OUTPUT_BROKER,
    ALLOWED_OUTPUT,
    CREATE_TOPICS,
    READ_CONFIG_FROM,
    MAX_COMMAND_BYTES,
    MAX_STREAMS,
    MAX_NAME_LENGTH,
    ALLOWED_SCHEMAS,
    ALLOWED_TOPICS,
    OBEY_EXIT,
    STATUS_INTERVAL,
    LINGER,
    MAX_BATCH_BYTES,
    MAX_WAITING_BYTES,
    SPOOL_DIRECTORY,
    SPOOL_MAX_BYTES,
    SPOOL_AFTER,
    REQUEST_TIMEOUT,
    COMPRESSION,
    KAFKA_CONFIG,
    *(setting for password in PASSWORDS for setting in (password, PASSWORD_FILES[password.name])),
    *SECURITY,
    PV_UPDATE_PERIOD,
    FAKE_PV_PERIOD,
    NEVER_CONNECTED_AFTER,
    SEND_OUT_OF_ORDER,
    FUTURE_LIMIT,
    PAST_LIMIT,
    CA_ADDR_LIST,
    CA_AUTO_ADDR_LIST,
    CA_NAME_SERVERS,
    CA_SERVER_PORT,
    CA_REPEATER_PORT,
    CA_MAX_ARRAY_BYTES,
    CA_CONN_TMO,
    CA_MAX_SEARCH_RATE,
    PVA_ADDR_LIST,
    PVA_AUTO_ADDR_LIST,
    PVA_NAME_SERVERS,
    PVA_BROADCAST_PORT,
    PVA_SERVER_PORT,
    PVA_CONN_TMO,
    PVA_QUEUE_SIZE,
    TOPIC_REPLICATION,
    TOPIC_EVENT_PARTITIONS,
    TOPIC_RETENTION,
    TOPIC_EVENT_RETENTION,
    TOPIC_STATUS_RETENTION,
    VERBOSITY,
    LOG_LEVEL,
    LOG_FORMAT,
    LOG_DIRECTORY,
    LOG_FOLDER,
    LOG_FILE,
    LOG_FILE_BYTES,
    LOG_FILES_KEPT,
    GRAYLOG,
    STATISTICS_INTERVAL,
    HTTP,
    HTTP_USER,
    HTTP_PASSWORD,
    PASSWORD_FILES[HTTP_PASSWORD.name],
    HTTP_CERT_FILE,
    HTTP_KEY_FILE,
)

TABLE = Table(SETTINGS)
BY_NAME = TABLE.by_name
