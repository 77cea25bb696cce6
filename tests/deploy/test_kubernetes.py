"""The manifests, against Kubernetes's own schemas and against each other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.files import DEPLOY, INSTANCES, LONGEST_STOP_S, shown_settings
from tests.support.certificates import Authority

MANIFESTS = DEPLOY / "kubernetes"
VERSIONS = ("1.29", "1.33", kubernetes_validate.latest_version())


def documents(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from yaml.safe_load_all(file.read_text())


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in documents(MANIFESTS / name) if each["kind"] == kind)
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    return one("StatefulSet", "forwarder.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return container


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_has_the_form_that_kubernetes_wants(version: str) -> None:
    found = list(documents(*MANIFESTS.glob("*.yaml")))
    assert {each["kind"] for each in found} == {"Namespace", "ConfigMap", "Secret", "Service", "StatefulSet"}
    for each in found:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_slip_would_be_refused() -> None:
    statefulset = one("StatefulSet", "forwarder.yaml")
    statefulset["spec"]["template"]["spec"]["hostNetworks"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetworks"):
        kubernetes_validate.validate(statefulset, VERSIONS[-1], strict=True)


def test_broadcasts_get_out_and_a_stop_gets_its_time(pod: dict[str, Any]) -> None:
    assert pod["hostNetwork"] is True
    assert pod["terminationGracePeriodSeconds"] > LONGEST_STOP_S


def test_there_is_one_and_it_may_do_nothing_but_forward(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert one("StatefulSet", "forwarder.yaml")["spec"]["replicas"] == 1
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_probes_ask_at_the_port_that_is_served(container: dict[str, Any]) -> None:
    (port,) = container["ports"]
    (http,) = (each["value"] for each in container["env"] if each["name"] == "FORWARDER_HTTP")
    annotations = one("StatefulSet", "forwarder.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert {str(port["containerPort"]), str(port["hostPort"]), annotations["prometheus.io/port"]} == {http[-4:]}
    asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {
        "startupProbe": {"path": "/live", "port": port["name"], "scheme": "HTTPS"},
        "livenessProbe": {"path": "/live", "port": port["name"], "scheme": "HTTPS"},
        "readinessProbe": {"path": "/ready", "port": port["name"], "scheme": "HTTPS"},
    }


@pytest.mark.parametrize("name", INSTANCES)
def test_the_forwarder_understands_what_the_pod_is_told(
    name: str, pod: dict[str, Any], container: dict[str, Any], tmp_path: Path
) -> None:
    settings = one("ConfigMap", f"{name}.yaml")
    assert [each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each] == ["forwarder"]
    assert settings["metadata"] == {"name": "forwarder", "namespace": f"forwarder-{name}"}
    assert {"/etc/forwarder", "/etc/forwarder-tls"} <= {each["mountPath"] for each in container["volumeMounts"]}
    (tmp_path / "forwarder.toml").write_text(settings["data"]["forwarder.toml"])
    secret = one("Secret", "secret.example.yaml")
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    pair = Authority(tmp_path, "authority").issue("forwarder")
    for file, mounted in ((pair.certificate, "tls.crt"), (pair.key, "tls.key")):
        file.rename(tmp_path / mounted)

    def here(text: str) -> str:
        return re.sub(r"^/etc/forwarder(-tls)?/", f"{tmp_path}/", text)

    shown = shown_settings(
        [here(text) for text in container["args"]],
        {**secret["stringData"], **{each["name"]: here(each["value"]) for each in container["env"]}},
    )
    assert shown["profile"] == name
    assert shown["http"] == "0.0.0.0:8080"
