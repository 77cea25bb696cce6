"""The manifests, against Kubernetes's own schemas and against each other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.files import DEPLOY, INSTANCES, LONGEST_STOP_S, shown_settings
from tests.deploy.test_container import environment
from tests.support.certificates import Authority

MANIFESTS = DEPLOY / "kubernetes"
VERSIONS = ("1.29", "1.33", kubernetes_validate.latest_version())


def documents(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from yaml.safe_load_all(file.read_text())


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in documents(MANIFESTS / name) if each["kind"] == kind)
    return found


WORKLOADS = {"forwarder.yaml": "StatefulSet", "blocks-larmor.yaml": "Deployment"}
of_each_workload = pytest.mark.parametrize("manifest", WORKLOADS)
of_the_forwarder = pytest.mark.parametrize("manifest", ["forwarder.yaml"])
of_blocks = pytest.mark.parametrize("manifest", ["blocks-larmor.yaml"])


@pytest.fixture
def workload(manifest: str) -> dict[str, Any]:
    return one(WORKLOADS[manifest], manifest)["spec"]


@pytest.fixture
def pod(workload: dict[str, Any]) -> dict[str, Any]:
    return workload["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return container


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_has_the_form_that_kubernetes_wants(version: str) -> None:
    found = list(documents(*MANIFESTS.glob("*.yaml")))
    kinds = {"Namespace", "ConfigMap", "Secret", "Service", "StatefulSet", "Deployment", "PersistentVolumeClaim"}
    assert {each["kind"] for each in found} == kinds
    for each in found:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_slip_would_be_refused() -> None:
    statefulset = one("StatefulSet", "forwarder.yaml")
    statefulset["spec"]["template"]["spec"]["hostNetworks"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetworks"):
        kubernetes_validate.validate(statefulset, VERSIONS[-1], strict=True)


@of_the_forwarder
def test_broadcasts_get_out(pod: dict[str, Any]) -> None:
    assert pod["hostNetwork"] is True


@of_each_workload
def test_a_stop_gets_its_time(pod: dict[str, Any]) -> None:
    assert pod["terminationGracePeriodSeconds"] > LONGEST_STOP_S


@of_each_workload
def test_there_is_one_and_it_may_do_nothing_but_its_work(
    workload: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    assert workload["replicas"] == 1
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@of_each_workload
def test_probes_ask_at_the_port_that_is_served(workload: dict[str, Any], container: dict[str, Any]) -> None:
    (port,) = container["ports"]
    (http,) = (each["value"] for each in container["env"] if each["name"] == "FORWARDER_HTTP")
    annotations = workload["template"]["metadata"]["annotations"]
    on_the_node = port.get("hostPort", port["containerPort"])
    assert {str(port["containerPort"]), str(on_the_node), annotations["prometheus.io/port"]} == {http[-4:]}
    asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {
        "startupProbe": {"path": "/live", "port": port["name"], "scheme": "HTTPS"},
        "livenessProbe": {"path": "/live", "port": port["name"], "scheme": "HTTPS"},
        "readinessProbe": {"path": "/ready", "port": port["name"], "scheme": "HTTPS"},
    }


@of_the_forwarder
@pytest.mark.parametrize("name", INSTANCES)
def test_the_forwarder_understands_what_the_pod_is_told(
    name: str, pod: dict[str, Any], container: dict[str, Any], tmp_path: Path
) -> None:
    settings = one("ConfigMap", f"{name}.yaml")
    assert settings["metadata"] == {"name": "forwarder", "namespace": f"forwarder-{name}"}
    shown = understood(pod, container, settings, one("Secret", "secret.example.yaml"), tmp_path)
    assert shown["profile"] == name
    assert shown["http"] == "0.0.0.0:8080"


@of_blocks
def test_blocks_understands_what_the_pod_is_told(
    manifest: str, pod: dict[str, Any], container: dict[str, Any], tmp_path: Path
) -> None:
    settings, secret = one("ConfigMap", manifest), one("Secret", "blocks-secret.example.yaml")
    shown = understood(pod, container, settings, secret, tmp_path)
    assert (shown["instrument"], shown["prefix"], shown["http"]) == ("LARMOR", "IN:LARMOR:", "0.0.0.0:8090")
    # A pod network takes no broadcast anywhere.
    assert shown["ca-auto-addr-list"] == ("yes" if pod.get("hostNetwork") else "no")


@of_blocks
def test_what_blocks_has_announced_outlives_its_pod_and_is_never_written_by_two(
    manifest: str, workload: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    claim = one("PersistentVolumeClaim", manifest)["metadata"]["name"]
    kept = [each["name"] for each in pod["volumes"] if each.get("persistentVolumeClaim") == {"claimName": claim}]
    places = [each["mountPath"] for each in container["volumeMounts"] if each["name"] in kept]
    # Where the image tells it to write.
    assert places == [environment()["FORWARDER_STATE_DIRECTORY"]]
    assert workload["strategy"] == {"type": "Recreate"}
    labels = workload["template"]["metadata"]["labels"]
    assert workload["selector"]["matchLabels"].items() <= labels.items()


def understood(
    pod: dict[str, Any], container: dict[str, Any], settings: dict[str, Any], secret: dict[str, Any], tmp_path: Path
) -> dict[str, str]:
    """The settings of what the pod starts, with a ConfigMap and a Secret."""
    mounted = [each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each]
    assert mounted == [settings["metadata"]["name"]]
    assert {"/etc/forwarder", "/etc/forwarder-tls"} <= {each["mountPath"] for each in container["volumeMounts"]}
    for name, text in settings["data"].items():
        (tmp_path / name).write_text(text)
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    pair = Authority(tmp_path, "authority").issue("forwarder")
    for file, name in ((pair.certificate, "tls.crt"), (pair.key, "tls.key")):
        file.rename(tmp_path / name)

    def here(text: str) -> str:
        return re.sub(r"^/etc/forwarder(-tls)?/", f"{tmp_path}/", text)

    return shown_settings(
        [here(text) for text in container["args"]],
        {**secret["stringData"], **{each["name"]: here(each["value"]) for each in container["env"]}},
    )
