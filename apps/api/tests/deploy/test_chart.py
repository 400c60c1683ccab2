"""The Helm chart: linted and rendered by Helm, its objects held to the schemas of Kubernetes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app import __version__
from app.core.settings import Settings

helm: Any = pytest.importorskip(
    "helm_python", reason="THE CHART IS NOT TESTED: helm-python-sdk has no wheel for this machine"
)

CHART = Path(__file__).parents[4] / "deploy" / "helm" / "renum"
VERSIONS = ("1.29", "1.34", "1.37")
Object = dict[str, Any]


def values(name: str, **changes: Any) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{name}.yaml").read_text())
    return read | changes


def rendered(asked: dict[str, Any]) -> dict[tuple[str, str], Object]:
    """The chart's objects by kind and name, without the release's name in front."""
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(asked, name="prod", namespace="renum")
    return {(o["kind"], o["metadata"]["name"].removeprefix("prod-")): o for o in _objects(texts)}


def _objects(texts: dict[str, str]) -> Iterator[Object]:
    for name, text in texts.items():
        if not name.endswith("NOTES.txt"):
            yield from (found for found in yaml.safe_load_all(text) if found)


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    found = helm.lint(str(CHART), values(name), strict=True)
    assert found["errors"] == []
    assert {m["error"] for m in found["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_its_objects_are_what_kubernetes_knows(name: str) -> None:
    objects = rendered(values(name)).values()
    assert len(objects) >= 10
    for known in objects:
        for version in VERSIONS:
            kubernetes_validate.validate(known, version, strict=True)


@pytest.mark.parametrize("missing", ["image", "secretName"])
def test_what_is_required_is_asked_for(missing: str) -> None:
    asked = values("minimal")
    del asked[missing]
    with pytest.raises(helm.HelmError, match=f"{missing}.* is missing"):
        rendered(asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": {"DATABASE_URL": "postgresql://u:p@h/d"}},  # a secret, in plain sight
        {"config": {"SUNA_API_KEY": "pk:sk"}},
        {"replicas": 3},  # a word that the chart does not know
        {"terminationGracePeriodSeconds": 5},  # shorter than the drain
        {"api": {"pdb": {"minAvailable": 1, "maxUnavailable": 1}}},
        {"image": {"repository": "r", "digest": "sha256:short"}},
        {"networkPolicy": {"scrapers": [{}]}},  # anybody
    ],
)
def test_the_schema_refuses_what_would_go_wrong(wrong: dict[str, Any]) -> None:
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values("minimal"))
        with pytest.raises(helm.HelmError):
            chart.validate_schema(values("minimal", **wrong))


def test_every_secret_setting_is_kept_out_of_the_values() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    refused = set(schema["properties"]["config"]["propertyNames"]["not"]["enum"])
    secret = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert secret - refused == set()


def test_pods_are_nobody_and_write_nothing() -> None:
    pods = [
        known["spec"].get("template", known)["spec"]
        for (kind, _), known in rendered(values("full")).items()
        if kind in ("Deployment", "Job", "Pod")
    ]
    assert len(pods) == 4
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_api_and_worker_are_scaled_apart() -> None:
    objects = rendered(values("full"))
    api = objects["HorizontalPodAutoscaler", "renum-api"]["spec"]
    assert api["metrics"][0]["resource"]["name"] == "cpu"
    worker = objects["HorizontalPodAutoscaler", "renum-worker"]["spec"]
    assert (
        worker["metrics"][0]["external"]["metric"]["name"]
        == "renum_queue_oldest_due_job_age_seconds"
    )
    for name in ("renum-api", "renum-worker"):
        assert "replicas" not in objects["Deployment", name]["spec"]
        assert objects["PodDisruptionBudget", name]["spec"]["maxUnavailable"] == 1
    fixed = rendered(values("minimal"))
    assert ("HorizontalPodAutoscaler", "renum-worker") not in fixed
    assert fixed["Deployment", "renum-worker"]["spec"]["replicas"] == 2


def test_selectors_find_the_pods_that_they_are_for() -> None:
    objects = rendered(values("full"))
    labels = {
        name: objects["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        for name in ("renum-api", "renum-worker")
    }

    def found_by(selector: dict[str, str]) -> set[str]:
        return {name for name, of in labels.items() if selector.items() <= of.items()}

    assert found_by(objects["Service", "renum"]["spec"]["selector"]) == {"renum-api"}
    for name in labels:
        for kind in ("Deployment", "PodDisruptionBudget"):
            assert found_by(objects[kind, name]["spec"]["selector"]["matchLabels"]) == {name}
        policy = objects["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"]
        assert found_by(policy) == {name}


def test_the_schema_is_migrated_before_the_new_pods_come() -> None:
    job = rendered(values("full"))["Job", "renum-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate", "--grant-to=renum_app"]
    # What a hook needs must be there before the chart's own objects are.
    assert container["envFrom"] == [
        {"secretRef": {"name": "renum"}},
        {"secretRef": {"name": "renum-owner"}},
    ]
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_there_is_time_to_drain() -> None:
    from app.server import GRACE_S

    for name in ("renum-api", "renum-worker"):
        pod = rendered(values("minimal"))["Deployment", name]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        pause_s = int(before["command"][1]) if before else 0
        assert pod["terminationGracePeriodSeconds"] >= pause_s + GRACE_S + 2


def container_of(objects: dict[tuple[str, str], Object], name: str) -> Object:
    (found,) = objects["Deployment", name]["spec"]["template"]["spec"]["containers"]
    container: Object = found
    return container


def test_api_and_worker_answer_probes_and_prometheus_alike() -> None:
    objects = rendered(values("full"))
    for name, command in (("renum-api", "serve"), ("renum-worker", "worker")):
        container = container_of(objects, name)
        assert container["args"][0] == command
        (port,) = container["ports"]
        asked = {
            probe: container[f"{probe}Probe"]["httpGet"]
            for probe in ("startup", "liveness", "readiness")
        }
        assert {get["port"] for get in asked.values()} == {port["name"]}
        assert {probe: get["path"] for probe, get in asked.items()} == {
            "startup": "/health",
            "liveness": "/health",
            "readiness": "/health/ready",
        }
        pod = objects["Deployment", name]["spec"]["template"]["metadata"]
        scraped = {k: v for k, v in pod["annotations"].items() if k.startswith("prometheus.io/")}
        assert scraped == {
            "prometheus.io/scrape": "true",
            "prometheus.io/path": "/metrics",
            "prometheus.io/port": str(port["containerPort"]),
        }
        (rule,) = objects["NetworkPolicy", name]["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": port["containerPort"]}]
    told = container_of(objects, "renum-worker")["args"]
    assert told == ["worker", "--host", "0.0.0.0", "--port", str(port["containerPort"])]  # noqa: S104


PROMETHEUS = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_prometheus_reaches_workers_and_nobody_else_does(name: str) -> None:
    """The kubelet of a pod's node always may; no policy says so, nor could forbid it."""
    (rule,) = rendered(values(name))["NetworkPolicy", "renum-worker"]["spec"]["ingress"]
    assert rule["from"] == [PROMETHEUS]


def test_no_scrapers_is_nobody_not_everybody() -> None:
    objects = rendered(values("minimal", networkPolicy={"scrapers": []}))
    assert objects["NetworkPolicy", "renum-worker"]["spec"]["ingress"] == []


def test_who_may_reach_the_api_is_joined_by_prometheus() -> None:
    (rule,) = rendered(values("full"))["NetworkPolicy", "renum-api"]["spec"]["ingress"]
    asked = values("full")["networkPolicy"]["from"]
    assert rule["from"][:-1] == [*asked, PROMETHEUS]
    (everybody,) = rendered(values("minimal"))["NetworkPolicy", "renum-api"]["spec"]["ingress"]
    assert "from" not in everybody


def test_the_page_s_pod_monitor_finds_api_and_workers() -> None:
    page = (CHART.parents[2] / "docs" / "operations" / "monitoring.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (spec,) = [o["spec"] for o in map(yaml.safe_load, blocks) if o.get("kind") == "PodMonitor"]
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values("full"), name="renum", namespace="renum")
    pods = {
        o["metadata"]["name"]: o["spec"]["template"]
        for o in _objects(texts)
        if "template" in o.get("spec", {})
    }
    (label,) = spec["selector"]["matchExpressions"]
    assert label["operator"] == "In"
    found = {
        name
        for name, pod in pods.items()
        if spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        and pod["metadata"]["labels"][label["key"]] in label["values"]
    }
    assert found == {"renum-api", "renum-worker"} < set(pods)
    (endpoint,) = spec["podMetricsEndpoints"]
    for name in found:
        (container,) = pods[name]["spec"]["containers"]
        assert endpoint["port"] in {port["name"] for port in container["ports"]}


def test_no_pod_reaches_the_cloud_s_metadata() -> None:
    objects = rendered(values("full"))
    for name in ("renum-api", "renum-worker"):
        anywhere = objects["NetworkPolicy", name]["spec"]["egress"][1]["to"]
        assert anywhere[0]["ipBlock"]["except"] == ["169.254.0.0/16"]


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    (container,) = rendered(values("minimal"))["Deployment", "renum-api"]["spec"]["template"][
        "spec"
    ]["containers"]
    assert container["image"] == f"ghcr.io/example/renum:{__version__}"
