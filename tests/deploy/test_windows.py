"""The definitions of the Windows services and the scripts that install them, as far as they can be read here."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest
import tree_sitter
import tree_sitter_powershell

from tests.deploy.files import DEPLOY, LONGEST_STOP_S, REPOSITORY, shown_settings
from tests.deploy.units import seconds
from tests.unit.docs.pages import blocks

WINDOWS = DEPLOY / "windows"
SCRIPTS = sorted(WINDOWS.glob("*.ps1"))
SERVICES = {"production": "ForwarderProduction", "development": "ForwarderDevelopment"}
BLOCKS = "ForwarderBlocks"
EVERY = (*SERVICES.values(), BLOCKS)

# What WinSW 2 and WinSW 3 both document, in https://github.com/winsw/winsw: docs/xml-config-file.md
ELEMENTS = (
    *("id", "name", "description", "executable", "arguments", "startmode", "delayedAutoStart", "depend", "env"),
    *("logpath", "log", "stopexecutable", "stoparguments", "stoptimeout", "onfailure", "resetfailure", "download"),
    *("interactive", "beeponshutdown", "securityDescriptor", "workingdirectory", "priority"),
)
ONCE = ("id", "name", "description", "executable", "arguments", "log", "logpath", "stoptimeout")
START_MODES = ("Boot", "System", "Automatic", "Manual")
LOG_MODES = {"append": set(), "reset": set(), "none": set(), "roll-by-size": {"sizeThreshold", "keepFiles"}}


def definition(service: str) -> ET.Element:
    return ET.parse(WINDOWS / f"{service}.xml").getroot()


def text(element: ET.Element, name: str) -> str:
    return element.findtext(name) or ""


@pytest.mark.parametrize("name", EVERY)
def test_winsw_knows_every_element(name: str) -> None:
    service = definition(name)
    assert service.tag == "service"
    assert {child.tag for child in service} <= set(ELEMENTS)
    assert all(len(service.findall(name)) == 1 for name in ONCE)
    assert text(service, "startmode") in START_MODES
    (log,) = service.findall("log")
    assert {child.tag for child in log} == LOG_MODES[log.attrib["mode"]]
    assert [failure.attrib["action"] for failure in service.findall("onfailure")] == ["restart"]


@pytest.mark.parametrize("name", EVERY)
def test_windows_waits_longer_than_the_longest_stop(name: str) -> None:
    assert seconds(text(definition(name), "stoptimeout")) > LONGEST_STOP_S


@pytest.mark.parametrize("profile", SERVICES)
def test_the_service_runs_its_instance_and_logs_where_the_old_one_did(profile: str, tmp_path: Path) -> None:
    service = definition(SERVICES[profile])
    # WinSW looks for the definition that has its own name.
    assert text(service, "id") == SERVICES[profile]
    module, name, *arguments = text(service, "arguments").split()
    assert (module, name) == ("-m", "forwarder")
    settings_file = PureWindowsPath(rf"C:\Forwarder\{profile}.toml")
    assert str(settings_file) in arguments
    # The file that install.ps1 puts there.
    here = [argument.replace(str(settings_file), str(DEPLOY / "config" / settings_file.name)) for argument in arguments]
    settings = shown_settings(here, {})
    assert settings["profile"] == profile
    assert settings["log-directory"] == r"C:\Forwarder"
    assert PureWindowsPath(text(service, "logpath")) == PureWindowsPath(r"C:\Forwarder", settings["log-folder"])


def test_the_instances_share_nothing_that_is_written() -> None:
    written = [re.findall(r"--state-directory (\S+)", text(definition(each), "arguments")) for each in EVERY]
    assert written == [[rf"C:\Forwarder\state\{each}"] for each in (*SERVICES, "blocks")]


@pytest.mark.parametrize(("is_instrument", "profile"), [("1", "production"), ("0", "development")])
@pytest.mark.parametrize("addresses", ["", "127.255.255.255 larmor"])
def test_blocks_runs_with_what_the_script_writes_of_the_instrument(
    is_instrument: str, profile: str, addresses: str, tmp_path: Path
) -> None:
    service = definition(BLOCKS)
    assert text(service, "id") == BLOCKS
    settings_file = r"C:\Forwarder\blocks.toml"
    known = (WINDOWS / "blocks.ps1").read_text()
    assert f"$Id = '{BLOCKS}'" in known
    assert settings_file.replace("C:\\Forwarder", "$Root") in known
    written = tmp_path / "blocks.toml"
    written.write_text(blocks_settings(is_instrument, addresses))
    module, name, *arguments = text(service, "arguments").split()
    assert (module, name) == ("-m", "forwarder")
    settings = shown_settings([argument.replace(settings_file, str(written)) for argument in arguments], {})
    assert (settings["profile"], settings["instrument"], settings["prefix"]) == (profile, "LARMOR", "IN:LARMOR:")
    assert (settings["ca-addr-list"], settings["ca-auto-addr-list"]) == (addresses, "no" if addresses else "yes")
    assert settings["log-directory"] == r"C:\Forwarder"
    assert PureWindowsPath(text(service, "logpath")) == PureWindowsPath(r"C:\Forwarder", settings["log-folder"])


def blocks_settings(is_instrument: str, addresses: str) -> str:
    """What install-blocks.ps1 writes where the environment says this."""
    script = (WINDOWS / "install-blocks.ps1").read_text()
    (template,) = re.findall(r'^    \$Lines = @"\n(.*?)^"@$', script, re.MULTILINE | re.DOTALL)
    given = dict(re.findall(r"\[string\] \$(\w+) = (.+?),?$", script, re.MULTILINE))
    of_the_profile = "$(if ($env:ISIS_INSTRUMENT -eq '1') { 'production' } else { 'development' })"
    assert given.pop("ForwarderProfile") == of_the_profile
    environment = {"INSTRUMENT": "LARMOR", "MYPVPREFIX": "IN:LARMOR:", "EPICS_CA_ADDR_LIST": addresses}
    values = {name: environment[said.removeprefix("$env:")] for name, said in given.items() if said.startswith("$env:")}
    values["ForwarderProfile"] = "production" if is_instrument == "1" else "development"
    searches = "false" if addresses else "true"
    filled = template.replace("$(if ($CaAddrList) { 'false' } else { 'true' })", searches)
    # As PowerShell would: a backtick has a meaning of its own in such a text.
    assert "`" not in filled
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], filled)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_is_powershell(script: Path) -> None:
    assert faults(script.read_bytes()) == []


def test_what_is_no_powershell_is_found() -> None:
    slip = (WINDOWS / "install.ps1").read_bytes().replace(b"Start-Service -Name $Instance.Id\n", b"}}\n")
    assert faults(slip)


def typed_in_the_documents() -> list[tuple[str, str]]:
    """Place and line of each prompt of PowerShell."""
    return [
        (block.place, line.removeprefix("PS> "))
        for block in blocks("console")
        for line in block.text.splitlines()
        if line.startswith("PS> ")
    ]


@pytest.mark.parametrize(("place", "line"), typed_in_the_documents())
def test_what_the_documents_say_to_type_is_powershell_and_fits_the_script(place: str, line: str) -> None:
    assert faults(line.encode()) == []
    words = line.split()
    script = REPOSITORY / words[0].replace("\\", "/")
    if script.suffix == ".ps1":
        known = parameters(script.read_text())
        given = {word.removeprefix("-") for word in words[1:] if word.startswith("-")}
        assert given <= set(known), f"{place}: {script.name} takes {sorted(known)}"
        assert {name for name, mandatory in known.items() if mandatory} <= given


def test_the_documents_have_such_prompts() -> None:
    lines = [line for _, line in typed_in_the_documents()]
    typed = {"install.ps1", "uninstall.ps1", "install-blocks.ps1", "uninstall-blocks.ps1", "forwarder.exe"}
    assert {line.split()[0].rpartition("\\")[2] for line in lines} >= typed
    assert faults(lines[0].encode() + b" -Wheel {")


def test_services_that_the_documents_name_are_ours() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "install-windows.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bForwarder(?:Production|Development|[A-Z]\w+)", page))
    assert named == set(EVERY)
    assert set(re.findall(r"[A-Z][a-z]+-Service (\w+)", page)) <= named


@pytest.mark.parametrize("profile", SERVICES)
def test_the_scripts_speak_of_the_same_services(profile: str) -> None:
    instances = (WINDOWS / "instances.ps1").read_text()
    (line,) = (line for line in instances.splitlines() if f"'{profile}'" in line)
    known = dict(re.findall(r"(\w+) = '([^']*)'", line))
    service = definition(SERVICES[profile])
    assert known["Id"] == text(service, "id")
    assert known["LogFolder"] == PureWindowsPath(text(service, "logpath")).name
    assert f'"{known["Old"]}"' in text(service, "description")


def parameters(script: str) -> dict[str, bool]:
    """The parameters of a script, and whether each is mandatory."""
    declared = re.search(r"^param\((.*?)\)$", script, re.MULTILINE | re.DOTALL)
    assert declared, "it declares its parameters"
    lines = [line for line in declared[1].splitlines() if not line.strip().startswith("#")]
    found = [(re.findall(r"\] \$(\w+)", line), "Mandatory" in line) for line in lines]
    return {name: mandatory for names, mandatory in found for name in names}


def faults(script: bytes) -> list[str]:
    """What the grammar has no place for, or misses."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return [f"line {node.start_point.row + 1}: {node}" for node in _nodes(parser.parse(script).root_node) if _bad(node)]


def _nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _bad(node: tree_sitter.Node) -> bool:
    return node.is_error or node.is_missing
