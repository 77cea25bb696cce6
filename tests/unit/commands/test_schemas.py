"""The schemas in schemas/ are those of ess-streaming-data-types, field by field and number by number."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import flatc

OF_ESS = {
    "f142": "logdata_f142",
    "f144": "logdata_f144",
    "ep00": "epics_connection_info_ep00",
    "ep01": "epics_connection_ep01",
    "al00": "alarm_al00",
    "se00": "array_1d_se00",
    "senv": "sample_environment_senv",
    "tdct": "timestamps_tdct",
    "ad00": "area_detector_ad00",
    "fc00": "forwarder_config_update_fc00",
    "rf5k": "forwarder_config_update_rf5k",
    "x5f2": "status_x5f2",
}

FIELD = re.compile(r"builder\.Prepend(\w+)Slot\(\s*(\d+),.*?, (-?[\d.]+)\s*\)", re.DOTALL)
TABLE = re.compile(r"builder\.StartObject\((\d+)\)")
VECTOR = re.compile(r"builder\.StartVector\((\d+), numElems, (\d+)\)")
ELEMENT = re.compile(r"number_types\.(\w+)Flags")
NUMBER = re.compile(r"^    ([A-Za-z]\w*) = (\d+)$", re.MULTILINE)


def wire_form(source: str) -> dict[str, object]:
    """What a generated class says about bytes: slots with their types and defaults, vectors, and enum numbers."""
    return {
        "fields": sorted((int(slot), kind, float(default)) for kind, slot, default in FIELD.findall(source)),
        "slots": TABLE.findall(source),
        "vectors": VECTOR.findall(source),
        "types": set(ELEMENT.findall(source)),
        "numbers": NUMBER.findall(source),
    }


@pytest.mark.parametrize("schema", OF_ESS)
def test_a_schema_has_the_wire_form_of_the_classes_of_ess(schema: str, tmp_path: Path) -> None:
    ours = flatc.python_classes(schema, tmp_path)
    package = find_spec(f"streaming_data_types.fbschemas.{OF_ESS[schema]}")
    assert package is not None
    assert package.origin is not None
    theirs = {path.stem: path.read_text(encoding="utf-8") for path in Path(package.origin).parent.glob("[!_]*.py")}
    assert {name: wire_form(text) for name, text in ours.items() if name != "__init__"} == {
        name: wire_form(text) for name, text in theirs.items()
    }


BYTES = {"values_type": "Int8Array", "values": {"value": []}}
REQUIRED: dict[str, dict[str, object]] = {
    "f144": {"source_name": "PV", "value_type": "Byte", "value": {"value": 1}},
    "ep01": {"source_name": "PV"},
    "un00": {"source_name": "PV"},
    "se00": {"name": "PV", **BYTES},
    "senv": {"name": "PV", **BYTES},
    "tdct": {"name": "PV", "timestamps": []},
    "ad00": {"source_name": "PV", "dimensions": [], "data": []},
}


@pytest.mark.parametrize("schema", [*OF_ESS, "un00"])
def test_a_message_of_a_schema_says_its_name(schema: str) -> None:
    assert flatc.from_json(schema, REQUIRED.get(schema, {}))[4:8] == schema.encode()


@pytest.mark.parametrize("schema", REQUIRED)
def test_a_message_without_what_a_schema_requires_is_none(schema: str) -> None:
    with pytest.raises(RuntimeError, match="required field is missing"):
        flatc.from_json(schema, {})


def test_un00_which_ess_does_not_have_keeps_the_slots_of_isis(tmp_path: Path) -> None:
    (units,) = (wire_form(text) for name, text in flatc.python_classes("un00", tmp_path).items() if name == "Units")
    assert units["slots"] == ["3"]
    assert units["fields"] == [(0, "UOffsetTRelative", 0), (1, "Int64", 0), (2, "UOffsetTRelative", 0)]
