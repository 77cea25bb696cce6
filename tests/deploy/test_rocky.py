"""The role's side for Rocky, where there is no Rocky: its facts, on a machine that has neither dnf nor SELinux.

What Ansible would ask of dnf and restorecon is asked of stand-ins, which write it down; all else is done.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from forwarder.settings.load import load
from tests.deploy.conftest import Distribution
from tests.deploy.files import DEPLOY, INSTANCES, REPOSITORY
from tests.deploy.machine import Machine
from tests.deploy.test_ansible import ansible
from tests.support.ports import LOOPBACK, free_port

SITE = DEPLOY / "ansible" / "site.yml"
FACTS: Mapping[str, object] = {
    "ansible_distribution": "Rocky",
    "ansible_distribution_major_version": "9",
    "ansible_os_family": "RedHat",
    "ansible_pkg_mgr": "dnf",
    "ansible_selinux": {"status": "enabled", "mode": "enforcing", "type": "targeted"},
    "ansible_service_mgr": "systemd",
}
PACKAGES = ["python3.11", "python3-packaging"]

DNF = """#!/usr/bin/python3
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"name": {"type": "list"}, "state": {}})
with open("/run/dnf", "a") as asked:
    print(module.params["state"], *module.params["name"], file=asked)
module.exit_json(changed=False)
"""
RESTORECON = """#!/bin/sh
# Says what it labels anew: all at first, and then nothing.
[ -e /run/restorecon ] || echo "Relabeled $2"
echo "$@" >>/run/restorecon
"""


def as_on_rocky(*plays: object) -> str:
    """A playbook of these, on hosts that have the facts of Rocky."""
    facts = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": {**FACTS, "cacheable": True}}],
    }
    return yaml.safe_dump([facts, *plays])


def test_what_the_role_asks_for_on_rocky(tmp_path: Path) -> None:
    book = tmp_path / "book.yml"
    shown = "{{ [forwarder_python, forwarder_packages] | to_json }}"
    tasks = [
        {"ansible.builtin.include_vars": str(SITE.parent / "roles" / "forwarder" / "defaults" / "main.yml")},
        {"ansible.builtin.copy": {"content": shown, "dest": str(tmp_path / "asked"), "mode": "0644"}},
    ]
    book.write_text(as_on_rocky({"hosts": "all", "gather_facts": False, "tasks": tasks}))
    interpreter = f"ansible_python_interpreter={sys.executable}"
    done = ansible(tmp_path, "ansible-playbook", "-i", "rocky,", "-c", "local", "-e", interpreter, str(book))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "asked").read_text()) == ["python3.11", PACKAGES]


def test_the_firewall_lets_in_what_the_searches_listen_for() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "install-systemd.md").read_text(encoding="utf-8")
    opened = set(re.findall(r"--add-((?:source-)?port)=(\d+)/udp", page))
    settings = load({}, {})
    ca, pva = settings.ca, settings.pva
    assert opened == {
        ("source-port", str(ca.server_port)),
        ("port", str(ca.repeater_port)),
        ("source-port", str(pva.broadcast_port)),
        ("port", str(pva.broadcast_port)),
    }


@pytest.mark.machine
@pytest.mark.timeout(600)
def test_the_role_installs_both_instances_with_the_facts_of_rocky(distribution: Distribution, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "dnf.py").write_text(DNF)
    (tmp_path / "restorecon").write_text(RESTORECON)
    (tmp_path / distribution.wheel.name).write_bytes(distribution.wheel.read_bytes())
    # A broker that is away is waited for.
    instances = [
        {"name": name, "settings": {"output-broker": f"{LOOPBACK}:1", "http": f"{LOOPBACK}:{free_port()}"}}
        for name in INSTANCES
    ]
    variables = {
        "forwarder_instances": instances,
        "forwarder_wheel": f"/mnt/{distribution.wheel.name}",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": False,
    }
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    (tmp_path / "rocky.yml").write_text(as_on_rocky({"ansible.builtin.import_playbook": str(SITE)}))
    with Machine(tmp_path) as machine:
        machine.run("install", "/mnt/restorecon", "/usr/local/bin/restorecon")

        def play() -> str:
            return machine.run(
                *("env", "HOME=/root", "ANSIBLE_HOME=/run/ansible", "ANSIBLE_NOCOLOR=1"),
                *(
                    "ANSIBLE_GATHERING=explicit",
                    "ANSIBLE_LIBRARY=/mnt/library",
                    f"ANSIBLE_ROLES_PATH={SITE.parent}/roles",
                ),
                *(str(Path(sys.executable).with_name("ansible-playbook")), "/mnt/rocky.yml"),
                *("--inventory", "forwarders,", "--connection", "local", "--extra-vars", "@/mnt/variables.json"),
            )

        first, again = play(), play()
        assert "failed=0" in first
        assert re.search(r"changed=0 .*failed=0", again), again
        assert machine.run("cat", "/run/dnf").splitlines() == [f"present {' '.join(PACKAGES)}"] * 2
        assert machine.run("cat", "/run/restorecon") == "-Rv /opt/forwarder\n" * 2
        assert "executable = /usr/bin/python3.11" in machine.run("cat", "/opt/forwarder/venv/pyvenv.cfg")
        for name in INSTANCES:
            state = machine.show(f"forwarder@{name}", "ActiveState", "UnitFileState", "NRestarts")
            assert state == ["active", "enabled", "0"]
