"""Files for -c: TOML, key=value lines, and the C++ forwarder's first form."""

import pytest

from forwarder.errors import BadSetting
from forwarder.settings.files import parse, words

CASES = {
    "key=value": ("config-topic=//b:9092/t\nverbosity=5\n", [("config-topic", "//b:9092/t"), ("verbosity", "5")]),
    "spaces, comments, sections": (
        "# one\n; two\n[section]\n\nservice-id = me # really\nlog-file: a b.log ; yes\n",
        [("service-id", "me"), ("log-file", "a b.log")],
    ),
    "quotes": ("verbosity=\"Error\"\nservice-id='a # b'\n", [("verbosity", "Error"), ("service-id", "a # b")]),
    "a lone switch": ("skip-retrieval\nservice-id=x", [("skip-retrieval", "yes"), ("service-id", "x")]),
    "true": ("skip-retrieval=true\nservice-id=x", [("skip-retrieval", "true"), ("service-id", "x")]),
    "a list": ("config-topic=[a/t, b/u]", [("config-topic", "a/t", "b/u")]),
    "an IPv6 host is no list": ("output-broker=[::1]", [("output-broker", "[::1]")]),
    "names as variables": ("CONFIG_TOPIC=b/t\n--status-topic=b/s", [("config-topic", "b/t"), ("status-topic", "b/s")]),
    "pairs": ("kafka-config=a.b 501 c.d true", [("kafka-config", "a.b 501 c.d true")]),
    "a user": (r"output-broker=SASL_SSL+PLAIN\me@b:1", [("output-broker", r"SASL_SSL+PLAIN\me@b:1")]),
    "TOML": (
        'service_id = "me"\nstatus-interval = 500\nskip-retrieval = true\nconfig-topic = ["a/t", "b/u"]\n',
        [("service-id", "me"), ("status-interval", "500"), ("skip-retrieval", "yes"), ("config-topic", "a/t", "b/u")],
    ),
    "TOML tables only group": (
        '[kafka]\nlinger = 5\n[log.more]\nverbosity = "Info"', [("linger", "5"), ("verbosity", "Info")]),
    "TOML pairs": (
        '[kafka-config]\nlinger.ms = 5\n"sasl.username" = "me"',
        [("kafka-config", "linger.ms", "5", "sasl.username", "me")],
    ),
    "JSON": (
        '{"broker": "//b:1", "streams": [], "conversion-threads": 4}',
        [("streams-json", "/etc/f"), ("broker", "//b:1"), ("conversion-threads", "4")],
    ),
    "empty": ("", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_file_is_read(text: str, expected: list[tuple[str, ...]]) -> None:
    assert [(entry.key, *entry.texts) for entry in parse(text, "f", "/etc/f")] == expected


def test_windows_paths_of_an_ini_keep_their_backslashes() -> None:
    (entry,) = parse(r'log-file="C:\temp\new.log"', "f.ini", "f.ini")
    assert entry.texts == (r"C:\temp\new.log",)


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        ("a = [\n", "f.toml", r"f\.toml is not TOML"),
        ("fine=1\n=wrong\n", "f.ini", r"f\.ini line 2 is not key=value"),
        ('{"a": ', "f.json", r"f\.json is not JSON"),
        ("service-id = 2026-01-01", "f.toml", r"service-id: the value in f\.toml line 1 is not a text"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place(text: str, name: str, complaint: str) -> None:
    with pytest.raises(BadSetting, match=complaint):
        parse(text, name, name)


@pytest.mark.parametrize(("text", "place"), [("b=1\na=2", "f line 2"), ('b=1\n["a"]\nc=1\n a = "x"', "f line 4")])
def test_an_entry_knows_its_line(text: str, place: str) -> None:
    assert {entry.key: entry.source for entry in parse(text, "f", "f")}["a"] == place


def test_words_of_pairs() -> None:
    assert words(("a 'b c'",)) == ["a", "b c"]
    assert words(("a", "b c")) == ["a", "b c"]
    with pytest.raises(ValueError, match="does not end"):
        words(("a 'b",))
