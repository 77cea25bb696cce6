"""What can be set, as plain values. How they are read is in the files beside this one."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class EventLoop(Enum):
    AUTO = "auto"
    """uvloop where it is installed, else asyncio."""
    UVLOOP = "uvloop"
    ASYNCIO = "asyncio"


class Dialect(Enum):
    """How to tell a forwarder something."""

    FC00 = "fc00"
    JSON = "json"
    """The C++ forwarder's."""


@dataclass(frozen=True, slots=True)
class Security:
    """How to talk to the brokers of one cluster."""

    protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str = ""
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty without SASL."""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """Certificates of authorities to trust, PEM; None: those of the system."""
    certificate_file: Path | None = None
    """This client's own certificate, PEM."""
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """One Kafka cluster."""

    brokers: tuple[str, ...]
    """`host:port` of the brokers to ask first."""
    security: Security = Security()
    create_topics: bool = False
    """Whether a topic that is missing is asked to be created by the broker."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """A topic and the cluster it is in."""

    cluster: ClusterSettings
    topic: str


@dataclass(frozen=True, slots=True)
class ProducerSettings:
    linger_s: float = 0.019
    """How long updates are gathered into one batch. No divisor of EPICS's scan periods: else the same PVs would always
    be the ones that wait longest."""
    max_batch_bytes: int = 900_000
    """Largest batch sent; brokers take 1 048 588 unless told otherwise."""
    max_waiting_bytes: int = 256_000_000
    """How much may wait in memory for a cluster that is away; then the oldest go and are counted."""
    request_timeout_s: float = 30.0
    """How long a broker may take to answer before its connection is given up."""
    compression: str = "none"
    """none, gzip, snappy, lz4 or zstd."""


@dataclass(frozen=True, slots=True)
class ChannelAccessSettings:
    addr_list: tuple[str, ...] = ()
    """`host[:port]` to search PVs at, besides the broadcast addresses."""
    auto_addr_list: bool = True
    """Whether the broadcast addresses of the local interfaces are searched too."""
    name_servers: tuple[str, ...] = ()
    """`host[:port]` to search over TCP."""
    server_port: int = 5064
    """UDP port of servers whose address in a list has no port of its own."""
    repeater_port: int = 5065
    max_array_bytes: int = 268_435_456
    """Larger values are refused and counted."""
    conn_timeout_s: float = 30.0
    """Silence of a server after which it is asked for an echo; 5 s later it is given up."""
    max_search_datagrams_per_s: int = 300
    """Upper bound on search traffic, however many PVs are missing."""


@dataclass(frozen=True, slots=True)
class PvAccessSettings:
    addr_list: tuple[str, ...] = ()
    """`host[:port]` to search PVs at, besides the broadcast addresses."""
    auto_addr_list: bool = True
    """Whether the broadcast addresses of the local interfaces are searched too."""
    name_servers: tuple[str, ...] = ()
    """`host[:port]` to search over TCP."""
    broadcast_port: int = 5076
    """UDP port of the hosts in `addr_list` that name none, and port that beacons come to."""
    server_port: int = 5075
    """TCP port of the name servers that name none."""
    conn_timeout_s: float = 30.0
    """Silence after which a server is given up; the library waits a third longer, and 2 s at least."""
    queue_size: int = 1000
    """Updates of one PV that may wait, in the server and here each; then the newest replaces the last of them."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where messages go that Kafka does not take for a while."""

    directory: Path | None = None
    """Of this instance alone; None: they stay in memory."""
    max_bytes: int = 10_000_000_000
    """How much may lie there; then the oldest go and are counted."""
    after_s: float = 1.0
    """How old a message becomes in memory before it is on disk too."""


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What the messages on the config topics may ask for, whoever can write there."""

    max_message_bytes: int = 4 * 1024 * 1024
    """20 000 streams take about 2 MB, and Kafka by default carries 1 MB."""
    max_streams: int = 100_000
    """Of one message, and in all."""
    max_name_length: int = 1024
    """Characters of a PV's name; EPICS databases end at 60, PVA servers have no bound of their own."""
    schemas: tuple[str, ...] = ()
    """Schemas that a stream may name; none: all there are."""
    topics: tuple[str, ...] = ()
    """Patterns of the topics that a stream may name, with the wildcards `?` and `*`; none: all."""
    obey_exit: bool = False
    """Whether a message may end the service."""


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """What becomes of updates with an odd time. Payloads always have the PV's own."""

    send_out_of_order: bool = True
    """Whether an update that is older than the newest of its PV is sent; else it is dropped. Both are counted."""
    future_limit_s: float = 600.0
    """How far in the future an update's time may lie for Kafka to be told it; beyond, Kafka is told the time of now."""
    past_limit_s: float = 0.0
    """The same for the past, where the brokers refuse older times; 0: no limit."""


class LogFormat(Enum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class GraylogSettings:
    """A Graylog input that takes GELF."""

    protocol: str
    """`udp` or `tcp`."""
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the service shows how it is, over HTTP."""

    host: str
    """Name or address of the interface to listen at; 0.0.0.0 and [::] are all of them."""
    port: int
    """0: any that is free."""
    user: str = ""
    """Who may read; empty: everybody who reaches it."""
    password: str = field(default="", repr=False)
    certificate_file: Path | None = None
    """Of the server, PEM; None: without TLS."""
    key_file: Path | None = None
    """Its key, PEM; None: it is in the file of the certificate."""


@dataclass(frozen=True, slots=True)
class InstrumentTopicsSettings:
    """What the topics of an instrument are to be like, for whoever makes and checks them."""

    replication: int = 3
    """Copies of each; fewer where there are fewer brokers."""
    event_partitions: int = 1
    """Least number for events; all other topics have one."""
    retention_s: float = 7 * 86_400.0
    """How long readings, runs and commands are kept."""
    event_retention_s: float = 86_400.0
    status_retention_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: int = 20
    """As in the module logging; 5 is Trace."""
    levels: tuple[tuple[str, int], ...] = ()
    """Loggers, by name, that have a level of their own; of the same name the last counts."""
    format: LogFormat = LogFormat.TEXT
    """Of console and file."""
    file: Path | None = None
    makes_folder: bool = False
    """Whether the folder of the file is made if it is missing."""
    file_bytes: int = 10_000_000
    """How large the file may get until a new one is begun; 0: as large as it will."""
    files_kept: int = 5
    """Full files kept beside the one that is written."""
    graylog: GraylogSettings | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one instance of the service is told at its start."""

    profile: str
    service_id: str
    """Tells instances apart in status messages and connection events."""
    config_topics: tuple[TopicSettings, ...]
    status_topic: TopicSettings | None
    storage_topic: TopicSettings | None
    output: ClusterSettings
    """Where streams go whose topic names no host."""
    allowed_outputs: tuple[ClusterSettings, ...] = ()
    """Further clusters that the topic of a stream may name by the `host:port` of one of their brokers."""
    streams_file: Path | None = None
    """Streams to start with, in the JSON dialect."""
    skip_retrieval: bool = False
    """Whether the stored state is ignored at the start."""
    read_from_beginning: bool = False
    """Whether the config topics are read from their beginning where no stored state says from where."""
    status_interval_s: float = 4.0
    statistics_interval_s: float = 0.0
    """How often the counts are logged; 0: never."""
    repeat_period_s: float = 0.0
    """Age of a value after which it is repeated in periodic streams; 0: never."""
    fake_period_s: float = 1.0
    never_connected_after_s: float = 10.0
    """How long a PV may be searched before it is reported as never connected."""
    stop_timeout_s: float = 10.0
    """How long the whole stop may take, before the process is ended by force."""
    event_loop: EventLoop = EventLoop.AUTO
    producer: ProducerSettings = ProducerSettings()
    ca: ChannelAccessSettings = ChannelAccessSettings()
    pva: PvAccessSettings = PvAccessSettings()
    times: TimeSettings = TimeSettings()
    commands: CommandSettings = CommandSettings()
    spool: SpoolSettings = SpoolSettings()
    http: HttpSettings | None = None
    """None: nothing is served."""
    topics: InstrumentTopicsSettings = InstrumentTopicsSettings()
    log: LogSettings = LogSettings()
