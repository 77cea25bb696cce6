"""What is in the file, read back with h5py, for messages of every kind."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from streaming_data_types.area_detector_ad00 import serialise_ad00
from streaming_data_types.array_1d_se00 import serialise_se00
from streaming_data_types.eventdata_ev42 import serialise_ev42
from streaming_data_types.eventdata_ev44 import serialise_ev44
from streaming_data_types.fbschemas.array_1d_se00.Location import Location
from streaming_data_types.run_start_pl72 import serialise_pl72
from streaming_data_types.run_stop_6s4t import serialise_6s4t

from forwarder.decode import decode
from forwarder.encode import al00, ep00, ep01, f142, f144, tdct, un00
from forwarder.model import ChannelType, ConnectionState, ValueType
from forwarder.record.columns import ArrayColumn
from forwarder.record.names import Names
from forwarder.record.nexus import CannotRecord, CannotStore
from forwarder.record.recording import Recording

T = 1_700_000_000_123_456_789
BLOCK = "IN:LARMOR:CS:SB:TEMP1"
DOUBLE = ChannelType(ValueType.FLOAT64, False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.nxs"


def write(path: Path, *messages: bytes, place: str = "selog", every: int = 3) -> None:
    """A file of these, with some of them in the file before others come."""
    with Recording(path, "LARMOR", force=False) as recording:
        for number, message in enumerate(messages):
            recording.take(decode(message), place)
            if number % every == 0:
                recording.write()
        recording.close(T, T + 1)


@contextmanager
def file_of(path: Path, *messages: bytes, place: str = "selog", every: int = 3) -> Iterator[Any]:
    write(path, *messages, place=place, every=every)
    with h5py.File(path) as file:
        yield file


def texts(dataset: Any) -> list[str]:
    return dataset.asstr()[()].tolist()


NUMBERS = [each for each in ValueType if each.value.startswith(("int", "uint", "float"))]


@pytest.mark.parametrize("schema", [f142, f144], ids=["f142", "f144"])
@pytest.mark.parametrize("element", NUMBERS, ids=lambda element: element.value)
def test_numbers_keep_their_type(path: Path, schema: Any, element: ValueType) -> None:
    dtype = np.dtype(element.value)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    values = [info.min, info.max, dtype.type(1)]
    encoder = schema.encoder(BLOCK, ChannelType(element, False))
    arrays = schema.encoder("IN:LARMOR:CS:SB:SPECTRUM", ChannelType(element, True))
    messages = [encoder.encode(value, T + number) for number, value in enumerate(values)]
    messages += [arrays.encode(np.array(values[:length], dtype), T + length) for length in range(4)]
    with file_of(path, *messages) as file:
        log = file["entry/selog/TEMP1"]
        assert log["value"].dtype == dtype
        assert log["value"][()].tolist() == values
        assert log["time"][()].tolist() == [T, T + 1, T + 2]
        assert dict(log["time"].attrs) == {"units": "ns", "start": "1970-01-01T00:00:00Z"}
        spectrum = file["entry/selog/SPECTRUM"]
        assert (spectrum["value"].dtype, spectrum["value"].shape) == (dtype, (4, 3))
        assert spectrum["value_length"][()].tolist() == [0, 1, 2, 3]
        for row, length in zip(spectrum["value"], range(4), strict=True):
            assert row[:length].tolist() == values[:length]
        if dtype.kind == "f":
            assert np.isnan(spectrum["value"][1, 1:]).all()


def test_texts_and_arrays_of_texts(path: Path) -> None:
    one = f142.encoder("TITLE", ChannelType(ValueType.STRING, False))
    many = f142.encoder("NAMES", ChannelType(ValueType.STRING, True))
    said = ["vanadium", "", "5 µm"]
    messages = [one.encode(text, T) for text in said] + [many.encode(said[:length], T) for length in (2, 3, 0)]
    with file_of(path, *messages) as file:
        assert texts(file["entry/selog/TITLE/value"]) == said
        names = file["entry/selog/NAMES"]
        assert names["value_length"][()].tolist() == [2, 3, 0]
        rows = names["value"].asstr()[()].tolist()
        assert [row[:length] for row, length in zip(rows, (2, 3, 0), strict=True)] == [said[:2], said, []]


def test_alarms_connections_and_units_are_beside_the_values(path: Path) -> None:
    value = f142.encoder(BLOCK, DOUBLE)
    with file_of(
        path,
        ep00.encode(BLOCK.encode(), ConnectionState.CONNECTED, T, "fwd"),
        value.encode_with_alarm(1.0, T + 1, 3, 2),
        value.encode(2.0, T + 2),
        un00.encode(BLOCK.encode(), "K", T + 3),
        ep01.encode(BLOCK.encode(), ConnectionState.DISCONNECTED, T + 4, "fwd"),
        al00.encode(BLOCK.encode(), 1, "too warm", T + 5),
    ) as file:
        log = file["entry/selog/TEMP1"]
        assert (log.attrs["NX_class"], log.attrs["pv"]) == ("NXlog", BLOCK)
        assert log["value"].attrs["units"] == "K"
        assert texts(log["connection_status"]) == ["CONNECTED", "DISCONNECTED"]
        assert log["connection_status_time"][()].tolist() == [T, T + 4]
        assert texts(log["alarm_severity"]) == ["MAJOR", "MINOR"]
        assert texts(log["alarm_status"]) == ["HIHI", ""]
        assert texts(log["alarm_message"]) == ["", "too warm"]
        assert log["alarm_time"][()].tolist() == [T + 1, T + 5]


def test_alarms_and_states_that_have_no_name_are_numbers(path: Path) -> None:
    f142_of_tomorrow = bytearray(f142.encoder(BLOCK, DOUBLE).encode_with_alarm(1.0, T, 3, 2))
    assert decode(bytes(f142_of_tomorrow)).fields["status"] == "HIHI"
    place = f142_of_tomorrow.index((3).to_bytes(2, "little"), 8)
    f142_of_tomorrow[place : place + 2] = (99).to_bytes(2, "little")
    assert decode(bytes(f142_of_tomorrow)).fields["status"] == 99
    with file_of(path, bytes(f142_of_tomorrow)) as file:
        assert texts(file["entry/selog/TEMP1/alarm_status"]) == ["99"]


def test_a_pv_that_changes_its_type_or_units_goes_on_in_a_log_of_its_own(path: Path) -> None:
    double, long = f144.encoder(BLOCK, DOUBLE), f144.encoder(BLOCK, ChannelType(ValueType.INT32, False))
    units = [un00.encode(BLOCK.encode(), text, T) for text in ("K", "K", "mK")]
    with file_of(
        path, units[0], double.encode(1.5, T), long.encode(7, T + 1), double.encode(2.5, T + 2), units[1],
        double.encode(3.5, T + 3), units[2], double.encode(4500.0, T + 4),
    ) as file:  # fmt: skip
        logs = file["entry/selog"]
        found = {name: (log["value"][()].tolist(), log["value"].attrs["units"]) for name, log in logs.items()}
        assert found == {"TEMP1": ([1.5, 2.5, 3.5], "K"), "TEMP1_2": ([7], "K"), "TEMP1_3": ([4500.0], "mK")}
        assert {log.attrs["pv"] for log in logs.values()} == {BLOCK}


def test_samples_and_chopper_times(path: Path) -> None:
    own = serialise_se00("OWN", 0, T, 1, 0, np.array([1, 2], np.int16), value_timestamps=[T, T + 5])
    middle: Any = Location.Middle
    spread = serialise_se00("SPREAD", 0, T, 10, 0, np.array([1.0, 2.0, 3.0]), ts_location=middle)
    chopper = tdct.encoder("CHOPPER", ChannelType(ValueType.INT32, True)).encode(np.array([1, 3], np.int32), T)
    with file_of(path, own, spread, chopper) as file:
        logs = file["entry/selog"]
        found = {name: (log["time"][()].tolist(), log["value"][()].tolist()) for name, log in logs.items()}
        assert found == {
            "OWN": ([T, T + 5], [1, 2]),
            "SPREAD": ([T - 10, T, T + 10], [1.0, 2.0, 3.0]),
            "CHOPPER": ([T + 1, T + 3], [T + 1, T + 3]),
        }


def test_events_of_several_messages_and_sources(path: Path) -> None:
    with file_of(
        path,
        serialise_ev44("detector", 1, [T, T + 10], [0, 2], [5, 6, 7], [1, 2, 3]),
        serialise_ev44("detector", 2, [T + 20], [0], [], []),
        serialise_ev44("detector", 3, [T + 30], [0], [8], [4]),
        serialise_ev44("monitor", 3, [T + 30], [0], [9, 10], []),
        serialise_ev42("old", 1, T, [3, 4], [1, 4_000_000_000]),
    ) as file:
        events = file["entry/detector_events"]
        assert events.attrs["NX_class"] == "NXevent_data"
        assert events["event_time_zero"][()].tolist() == [T, T + 10, T + 20, T + 30]
        assert events["event_index"][()].tolist() == [0, 2, 3, 3]
        assert events["event_time_offset"][()].tolist() == [5, 6, 7, 8]
        assert events["event_id"][()].tolist() == [1, 2, 3, 4]
        assert events["total_counts"][()] == 4
        assert file["entry/monitor_events/event_id"][()].tolist() == [0, 0]
        assert file["entry/old_events/event_id"][()].tolist() == [1, 4_000_000_000]


def test_the_first_run_names_the_file(path: Path) -> None:
    with file_of(
        path,
        serialise_6s4t("job", run_name="41", stop_time=1_699_999_999_000),
        serialise_pl72("job", "", run_name="42", instrument_name="LARMOR", start_time=1_700_000_000_000),
        serialise_6s4t("job", run_name="42", stop_time=1_700_000_060_500),
        serialise_pl72("job", "", run_name="43", instrument_name="LARMOR", start_time=1_700_000_100_000),
    ) as file:
        entry = file["entry"]
        said = {name: entry[name].asstr()[()] for name in ("title", "entry_identifier", "start_time", "end_time")}
        assert said == {
            "title": "42",
            "entry_identifier": "42",
            "start_time": "2023-11-14T22:13:20.000000Z",
            "end_time": "2023-11-14T22:14:20.500000Z",
        }
        assert entry["instrument/name"].asstr()[()] == "LARMOR"
        assert texts(entry["run_info/run_name"]) == ["41", "42", "42", "43"]
        assert entry["run_info/value"][()].tolist() == [0, 1, 0, 1]


def test_a_stop_before_its_start_is_not_the_end(path: Path) -> None:
    """So it is where two machines differ in their clocks; tools do not take a run that ends before it has begun."""
    with file_of(
        path,
        serialise_pl72("job", "", run_name="42", instrument_name="LARMOR", start_time=1_700_000_000_000),
        serialise_6s4t("job", run_name="42", stop_time=1_699_999_940_000),
    ) as file:
        assert file["entry/start_time"].asstr()[()] == "2023-11-14T22:13:20.000000Z"
        assert file["entry/end_time"].asstr()[()] == "2023-11-14T22:13:20.123456Z"
        assert file["entry/run_info/time"][1] == 1_699_999_940 * 10**9


def test_where_nothing_came_the_end_is_not_in_1970(path: Path) -> None:
    with Recording(path, "LARMOR", force=False) as recording:
        recording.close(T, 0)
    with h5py.File(path) as file:
        assert file["entry/end_time"].asstr()[()] == file["entry/start_time"].asstr()[()]


def test_a_file_without_a_run_says_when_it_was_written_and_what_to_draw(path: Path) -> None:
    messages = [f144.encoder("DAE:COUNTRATE", DOUBLE).encode(float(number), T + number) for number in range(3)]
    with file_of(path, *messages, place="runlog") as file:
        assert file["entry/title"].asstr()[()] == "LARMOR without a run"
        assert file["entry/start_time"].asstr()[()] == "2023-11-14T22:13:20.123456Z"
        group = file
        while "default" in group.attrs:
            group = group[group.attrs["default"]]
        assert (group.attrs["NX_class"], group.attrs["signal"], group.attrs["axes"]) == ("NXdata", "value", "time")
        assert group["value"] == file["entry/runlog/COUNTRATE/value"]


def test_what_is_drawn_first_is_no_single_point(path: Path) -> None:
    """What did not change is the first number that comes when a recording looks back."""
    set_point, value = f144.encoder("SET", DOUBLE), f144.encoder("VALUE", DOUBLE)
    with file_of(path, set_point.encode(1.0, T), value.encode(1.0, T), value.encode(2.0, T + 1)) as file:
        assert file["entry/plot/value"] == file["entry/selog/VALUE/value"]


REFUSED = {
    "an image": (serialise_ad00("CAM", 1, T, np.zeros((2, 2)), []), "ad00 has no place in the file"),
    "a text with a NUL": (f142.encoder("A", ChannelType(ValueType.STRING, False)).encode("a\0b", T), "a NUL in it"),
    "a time out of range": (f142.encoder("A", DOUBLE).encode(1.0, 2**63), "is out of range"),
    "fewer pixels than times": (serialise_ev44("d", 1, [T], [0], [1, 2], [1]), "2 times of flight for 1 pixels"),
    "a pulse outside": (serialise_ev44("d", 1, [T], [3], [1, 2], [1, 2]), "begins outside of its 2 events"),
    "a name of a megabyte": (f142.encoder("A" * 1_000_000, DOUBLE).encode(1.0, T), "a name or units of 1000000"),
    "no samples": (serialise_se00("A", 0, T, 1, 0, np.array([], np.int16)), "it has no samples"),
}


@pytest.mark.parametrize(("message", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_place_is_refused_and_changes_nothing_else(path: Path, message: bytes, reason: str) -> None:
    good = f144.encoder(BLOCK, DOUBLE).encode(1.5, T), serialise_ev44("d", 1, [T], [0], [1], [1])
    with Recording(path, "LARMOR", force=False) as recording:
        for each in good:
            recording.take(decode(each))
        with pytest.raises(CannotStore, match=reason):
            recording.take(decode(message))
        for each in good:
            recording.take(decode(each))
        recording.close(T, T)
    with h5py.File(path) as file:
        assert file["entry/selog/TEMP1/value"][()].tolist() == [1.5, 1.5]
        assert file["entry/d_events/event_index"][()].tolist() == [0, 1]


def test_ids_that_their_type_does_not_hold_are_refused(path: Path) -> None:
    with Recording(path, "LARMOR", force=False) as recording:
        recording.take(decode(serialise_ev44("d", 1, [T], [0], [1], [1])))
        recording.take(decode(serialise_ev42("d", 1, T, [2], [2])))
        with pytest.raises(CannotStore, match="int32 can't hold"):
            recording.take(decode(serialise_ev42("d", 1, T, [3], [4_000_000_000])))
        recording.close(T, T)
    with h5py.File(path) as file:
        assert file["entry/d_events/event_id"][()].tolist() == [1, 2]


def test_a_file_that_is_there_is_left_alone_unless_it_may_be_overwritten(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(CannotRecord, match=r"test.nxs is there already; --force overwrites it"):
        Recording(path, "LARMOR", force=False)
    with Recording(path, "LARMOR", force=True) as recording:
        assert path.read_text() == "precious", "until the new one is whole"
        recording.close(T, T)
    with h5py.File(path) as file:
        assert "entry" in file


def test_a_recording_that_was_killed_is_not_overwritten_either(path: Path) -> None:
    Recording(path, "LARMOR", force=False).__exit__(None, None, None)
    assert not path.exists()
    with pytest.raises(CannotRecord, match=r"test.nxs.part is there already"):
        Recording(path, "LARMOR", force=False)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotRecord, match=r"a.nxs.part can't be written: No such file or directory"):
        Recording(tmp_path / "none" / "a.nxs", "LARMOR", force=False)


def test_a_disk_that_fills_up_ends_it_with_a_whole_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Recording(path, "LARMOR", force=False) as recording:
        recording.take(decode(f144.encoder(BLOCK, DOUBLE).encode(1.5, T)))
        recording.write()
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
        with pytest.raises(CannotRecord, match=r"test.nxs.part has less than 64 MB left"):
            recording.write()
        recording.close(T, T)
    with h5py.File(path) as file:
        assert file["entry/selog/TEMP1/value"][()].tolist() == [1.5]


FULL = """
import sys
from pathlib import Path
import numpy as np
from forwarder.decode import decode
from forwarder.encode import f144
from forwarder.model import ChannelType, ValueType
from forwarder.record.nexus import CannotRecord
from forwarder.record.recording import Recording
noise = np.random.default_rng(1).normal(size=100_000)
message = f144.encoder("NOISE", ChannelType(ValueType.FLOAT64, True)).encode(noise, 1)
with Recording(Path(sys.argv[1]), "LARMOR", force=False) as recording:
    for step in (lambda: [recording.take(decode(message)) for _ in range(3)], recording.write, recording.close):
        try:
            step(*(1, 2) if step == recording.close else ())
        except CannotRecord as error:
            print(error)
"""


def test_a_file_that_may_not_grow_does_not_end_the_process(path: Path) -> None:
    """As HDF5 would, with a crash."""
    line = ["bash", "-c", 'ulimit -f 1000 && exec "$0" "$@"', sys.executable, "-c", FULL, str(path)]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{path}.part can't be written: File too large\n" * 2
    assert not path.exists()


def test_names() -> None:
    names = Names()
    given = ["IN:A:CS:SB:T", "IN:B:CS:SB:T", "IN:B_CS_SB_T", "IN:A:DAE:PERIOD", "IN:A:M1.RBV", "IN/A", "..", "x:é"]
    assert [names.of(pv) for pv in given] == [
        "T", "IN_B_CS_SB_T", "IN_B_CS_SB_T_2", "PERIOD", "IN_A_M1.RBV", "IN_A", "_", "x__"
    ]  # fmt: skip
    assert [names.another("T"), names.another("T")] == ["T_2", "T_3"]


def test_one_long_array_does_not_make_all_others_as_long(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        column = ArrayColumn(file, "value", np.float64, 1)
        tracemalloc.start()
        for _ in range(2_000):
            column.append([1.0])
        column.append(np.arange(300_000.0))
        column.write()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert file["value"].shape == (2_001, 300_000)
        assert file["value"][2_000, -1] == 299_999.0
    # As a whole table these would be 4.8 GB.
    assert peak < 20_000_000
    assert (tmp_path / "a.h5").stat().st_size < 20_000_000
