"""Unusual chart values: numeric tags and quantities, booleans in annotations, digests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining_operator.settings import Settings, read_settings
from tests.integration.chart.test_chart import CHART, NEEDED, helm, one, rendered
from tests.system.kubectl import CommandError

DIGEST = "sha256:" + "0123456789abcdef" * 4


def with_file(folder: Path, text: str, *more: str) -> list[dict[str, Any]]:
    values = folder / "values.yaml"
    values.write_text(text)
    return rendered(*NEEDED, "--values", str(values), *more)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(CommandError) as refused:
        with_file(folder, text)
    return str(refused.value)


def images(documents: list[dict[str, Any]]) -> tuple[str, str]:
    pods = [one(documents, kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]
    operator, job = (str(pod["containers"][0]["image"]) for pod in pods)
    return operator, job


def settings_of(
    documents: list[dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("NAMESPACE", "fraud")
    config = folder / "config.yaml"
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    return read_settings(config)


@pytest.mark.parametrize(
    "tag", ["20240115", "0x1f", "1.10", "2024e5", "0123", "1_000", "true", "1.0"]
)
@pytest.mark.parametrize("image", ["image", "jobImage"])
def test_tag_without_quotes_is_unchanged_or_refused_with_a_message(
    tmp_path: Path, tag: str, image: str
) -> None:
    # YAML makes something else of most of them before Helm sees them, so that none can be kept for
    # sure.
    assert f"{image}.tag must be in quotes" in refusal(tmp_path, f"{image}: {{tag: {tag}}}")
    quoted = images(with_file(tmp_path, f'{image}: {{tag: "{tag}"}}'))
    assert [each.rpartition(":")[2] for each in quoted].count(tag) == 1


@pytest.mark.parametrize("option", ["--set=image.tag=20240115", "--set-string=image.tag=20240115"])
def test_tag_on_the_command_line_keeps_its_digits(option: str) -> None:
    assert images(rendered(*NEEDED, option))[0] == "retraining-operator:20240115"


def test_tag_that_is_null_is_the_chart_s_own(tmp_path: Path) -> None:
    assert images(with_file(tmp_path, "image: {tag: null}\njobImage: {tag: ''}")) == (
        "retraining-operator:0.1.0",
        "retraining-job:0.1.0",
    )


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (f"digest: {DIGEST}", f"retraining-operator@{DIGEST}"),
        (f"{{tag: '7', digest: {DIGEST}}}", f"retraining-operator:7@{DIGEST}"),
        (f"repository: x.io/a/b@{DIGEST}", f"x.io/a/b@{DIGEST}"),
        ("repository: x.io:5000/a/b:7", "x.io:5000/a/b:7"),
        ("{repository: x.io:5000/a/b, tag: v7}", "x.io:5000/a/b:v7"),
        ("{registry: x.io:5000/, repository: a/b}", "x.io:5000/a/b:0.1.0"),
    ],
)
def test_image_may_be_named_by_registry_tag_and_digest(
    tmp_path: Path, image: str, reference: str
) -> None:
    text = image if image.startswith("{") else f"{{{image}}}"
    assert images(with_file(tmp_path, f"image: {text}"))[0] == reference


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (f"{{repository: a@{DIGEST}, tag: '1'}}", "image.repository has a tag or a digest already"),
        ("{digest: latest}", "image.digest must look like sha256:"),
        ("{tag: 'a b'}", "image.tag is not a valid tag"),
    ],
)
def test_invalid_image_reference_is_refused_with_a_message(
    tmp_path: Path, image: str, words: str
) -> None:
    assert words in refusal(tmp_path, f"image: {image}")


def test_numbers_and_booleans_are_accepted_as_in_kubernetes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = with_file(
        tmp_path,
        """
        job:
          resources:
            requests: {cpu: 0.5, memory: 1073741824}
            limits: {cpu: 2, memory: 2e9, ephemeral-storage: 1Gi}
          labels: {team: 7, istio: false}
          annotations:
            sidecar.istio.io/inject: false
            linkerd.io/inject: disabled
            number: 20240115
          nodeSelector: {gpu: true}
          tolerations: [{key: gpu, value: true, effect: NoSchedule, tolerationSeconds: 300}]
          env: [{name: PORT, value: 5432}]
        resources: {requests: {cpu: 0.1, memory: 134217728}}
        podAnnotations: {scrape: true}
        nodeSelector: {disk: 1}
        """,
    )
    pod = one(documents, "Job")["spec"]["template"]
    operator = one(documents, "Deployment")["spec"]["template"]
    job = settings_of(documents, tmp_path, monkeypatch).job
    texts = {
        "sidecar.istio.io/inject": "false",
        "linkerd.io/inject": "disabled",
        "number": "20240115",
    }
    assert job.annotations == pod["metadata"]["annotations"] == texts
    assert job.labels == {"team": "7", "istio": "false"}
    assert pod["metadata"]["labels"].items() >= job.labels.items()
    assert job.node_selector == pod["spec"]["nodeSelector"] == {"gpu": "true"}
    assert job.tolerations[0] == pod["spec"]["tolerations"][0]
    assert (job.tolerations[0]["value"], job.tolerations[0]["tolerationSeconds"]) == ("true", 300)
    assert {"name": "PORT", "value": "5432"} in pod["spec"]["containers"][0]["env"]
    assert job.resources == {
        "requests": {"cpu": "0.5", "memory": "1073741824"},
        "limits": {"cpu": "2", "memory": "2000000000", "ephemeral-storage": "1Gi"},
    }
    assert operator["spec"]["containers"][0]["resources"]["requests"] == {
        "cpu": "0.1",
        "memory": "134217728",
    }
    assert operator["metadata"]["annotations"]["scrape"] == "true"
    assert operator["spec"]["nodeSelector"] == {"disk": "1"}


@pytest.mark.parametrize(
    "name", ["job.labels", "job.annotations", "job.nodeSelector", "podAnnotations", "nodeSelector"]
)
def test_text_that_yaml_reads_as_another_number_is_refused_with_a_message(
    tmp_path: Path, name: str
) -> None:
    section, _, field = name.rpartition(".")
    text = f"{field}: {{version: 1.10}}"
    assert f"{name}.version must be in quotes" in refusal(
        tmp_path, f"{section}: {{{text}}}" if section else text
    )


def test_wrong_type_is_one_sentence_that_names_the_value(tmp_path: Path) -> None:
    assert "at '/kafka/topic': got number, want string" in refusal(tmp_path, "kafka: {topic: 2024}")
    assert "'/job/labels'" in refusal(tmp_path, "job: {labels: [a]}")


def test_schema_names_no_value_that_does_not_exist_and_every_setting_of_the_job() -> None:
    folder = Path(CHART)
    values = yaml.safe_load((folder / "values.yaml").read_text())
    schema = json.loads((folder / "values.schema.json").read_text())
    free = {"labels", "annotations", "nodeSelector", "resources", "podLabels", "podAnnotations"}
    free |= {"podSecurityContext"}

    def names(node: dict[str, Any]) -> set[str]:
        found = set()
        for name, value in node.items():
            found.add(name)
            if isinstance(value, dict) and name not in free:
                found |= {f"{name}.{inner}" for inner in names(value)}
        return found

    def known(node: dict[str, Any]) -> set[str]:
        found = set()
        for name, value in node.get("properties", {}).items():
            found |= {name} | {f"{name}.{inner}" for inner in known(value)}
        return found

    assert known(schema) <= names(values)
    assert known(schema["properties"]["job"]) == names(values["job"])


def test_large_whole_numbers_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "{trainer: {rows: 1000000}, job: {deadlineSeconds: 604800, ttlSecondsAfterFailure:"
        " 31536000}}"
    )
    settings = settings_of(with_file(tmp_path, text), tmp_path, monkeypatch)
    assert (settings.trainer.rows, settings.job.ttl_seconds_after_failure) == (
        1_000_000,
        31_536_000,
    )


def test_migration_takes_every_setting_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job: dict[str, Any] = {
        "labels": {"team": "fraud", "app.kubernetes.io/name": "ours-counts"},
        "annotations": {"sidecar.istio.io/inject": "false"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "podSecurityContext": {"fsGroup": 7, "runAsUser": 7},
        "securityContext": {"runAsGroup": 7},
        "env": [{"name": "PGSSLROOTCERT", "value": "/ca/ca.crt"}],
        "envFrom": [{"configMapRef": {"name": "more"}}],
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "automountServiceAccountToken": True,
    }
    documents = with_file(tmp_path, yaml.safe_dump({"job": job, "imagePullSecrets": ["mine"]}))
    migration = one(documents, "Job")
    template = migration["spec"]["template"]
    pod, [container] = template["spec"], template["spec"]["containers"]
    assert (
        migration["metadata"]["labels"]["team"] == template["metadata"]["labels"]["team"] == "fraud"
    )
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "retraining-operator"
    assert template["metadata"]["annotations"] == job["annotations"]
    in_the_pod = (
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "priorityClassName",
    )
    for field in (*in_the_pod, "runtimeClassName", "volumes", "automountServiceAccountToken"):
        assert pod[field] == job[field]
    for field in ("envFrom", "volumeMounts"):
        assert container[field] == job[field]
    assert container["env"][0] == job["env"][0]
    assert pod["securityContext"].items() >= {"runAsNonRoot": True, "fsGroup": 7}.items()
    assert (
        container["securityContext"].items()
        >= {"readOnlyRootFilesystem": True, "runAsGroup": 7}.items()
    )
    assert pod["imagePullSecrets"] == [{"name": "mine"}]
    assert settings_of(documents, tmp_path, monkeypatch).job.volumes == tuple(job["volumes"])


def test_every_container_has_all_requests_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = rendered(*NEEDED)
    found = [
        one(documents, kind)["spec"]["template"]["spec"]["containers"][0]
        for kind in ("Deployment", "Job")
    ]
    asked = [container["resources"] for container in found]
    asked.append(settings_of(documents, tmp_path, monkeypatch).job.resources)
    for resources in asked:
        assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


def test_no_namespace_is_written_into_an_object() -> None:
    text = helm(
        "template", "retraining", CHART, *NEEDED
    )  # without --namespace, as in a pipe to `kubectl apply -n`
    assert "namespace: default" not in text
    documents = [document for document in yaml.safe_load_all(text) if document]
    [subject] = one(documents, "RoleBinding")["subjects"]
    assert "namespace" not in subject
    [container] = one(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    [variable] = [each for each in container["env"] if each["name"] == "NAMESPACE"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_migration_has_another_name_if_its_specification_differs() -> None:
    def name(*values: str) -> str:
        return str(one(rendered(*NEEDED, *values), "Job")["metadata"]["name"])

    assert name() == name("--set=triggers.maxConcurrent=3")
    assert len({name(), name("--set=jobImage.tag=v2"), name("--set=job.labels.a=b")}) == 3
    assert one(rendered(*NEEDED), "Job")["spec"]["ttlSecondsAfterFinished"] == 86_400
