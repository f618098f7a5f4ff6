"""What keeps a pod from starting, and how it ended, as the kubelet and the scheduler report it."""

from typing import Any

import pytest

from retraining_operator.api.attempt_failure import explain_failed_attempt
from retraining_operator.api.pod import read_pod
from retraining_operator.api.pod_problems import read_pod_problem
from retraining_operator.api.reasons import ConditionReason
from tests.unit.operator.attempts import job_owner

PULL = 'failed to pull and unpack image "registry/x:1": not found'


def waiting(reason: str, message: str = "", name: str = "trainer") -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}
        ]
    }


def unscheduled(reason: str) -> dict[str, Any]:
    message = "0/1 nodes are available: 1 Insufficient cpu."
    return {
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        ]
    }


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    owner = job_owner("j")
    labels = {"retraining.dev/request-uid": "r"}
    fields = {"name": "first-x", "uid": "p", "labels": labels, "ownerReferences": [owner]}
    return {
        "metadata": {**fields, "creationTimestamp": "2026-03-01T11:00:00Z", **metadata},
        "status": status,
    }


@pytest.mark.parametrize(
    ("status", "reason", "words", "advice"),
    [
        pytest.param(
            waiting("ErrImagePull", PULL),
            ConditionReason.IMAGE_PULL_FAILED,
            PULL,
            "jobImage.tag",
            id="pull",
        ),
        pytest.param(
            waiting(
                "ImagePullBackOff", f'Back-off pulling image "registry/x:1": ErrImagePull: {PULL}'
            ),
            ConditionReason.IMAGE_PULL_FAILED,
            f": {PULL}.",
            "imagePullSecrets",
            id="back-off",
        ),
        pytest.param(
            waiting("InvalidImageName"),
            ConditionReason.IMAGE_PULL_FAILED,
            "InvalidImageName",
            "jobImage",
            id="no name",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "redis" not found'),
            ConditionReason.CONTAINER_NOT_CREATED,
            'secret "redis" not found.',
            "Secrets of database, redis",
            id="no Secret",
        ),
        pytest.param(
            unscheduled("Unschedulable"),
            ConditionReason.UNSCHEDULABLE,
            "Insufficient cpu.",
            "Free resources",
            id="no room",
        ),
    ],
)
def test_problem_of_a_pod_has_a_message_with_what_to_do(
    status: dict[str, Any], reason: ConditionReason, words: str, advice: str
) -> None:
    hold = read_pod_problem(status)
    assert hold
    assert hold.reason == reason
    assert words in hold.message
    assert advice in hold.message


def test_same_problem_has_the_same_message_during_backoff() -> None:
    assert read_pod_problem(waiting("ErrImagePull", PULL)) == read_pod_problem(
        waiting("ImagePullBackOff", f'Back-off pulling image "registry/x:1": ErrImagePull: {PULL}')
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        waiting("ContainerCreating"),
        waiting("ErrImagePull", PULL, name="sidecar"),
        unscheduled("SchedulingGated"),
    ],
    ids=["new", "its container is created", "another container", "held by its own gate"],
)
def test_starting_pod_has_no_problem(status: dict[str, Any]) -> None:
    assert read_pod_problem(status) is None
    found = read_pod(pod(status))
    assert found
    assert found.is_alive


def test_deleted_pod_waits_for_nothing() -> None:
    found = read_pod(pod(waiting("ErrImagePull", PULL), deletionTimestamp="2026-03-01T12:00:00Z"))
    assert found
    assert (found.problem, found.is_alive) == (None, False)


def test_foreign_pod_is_ignored() -> None:
    assert read_pod(pod({}, labels={})) is None


def test_removed_pod_says_why() -> None:
    taken = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "for another",
    }
    ended = {
        "name": "trainer",
        "state": {"terminated": {"exitCode": 137, "finishedAt": "2026-03-01T11:04:00Z"}},
    }
    found = read_pod(pod({"phase": "Failed", "conditions": [taken], "containerStatuses": [ended]}))
    assert found
    assert found.attempt
    assert found.attempt.disruption == "PreemptionByScheduler: for another"


def test_pod_that_was_evicted_before_it_ran_has_ended_too() -> None:
    found = read_pod(
        pod({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."})
    )
    assert found
    assert found.attempt
    assert (found.attempt.exit_code, found.attempt.disruption) == (
        None,
        "The node was low on memory.",
    )


def test_container_that_must_start_before_the_trainer_is_named() -> None:
    for reason, message in (
        ("ImagePullBackOff", PULL),
        ("CrashLoopBackOff", "back-off 10s restarting"),
    ):
        state = {"waiting": {"reason": reason, "message": message}}
        status = {
            **waiting("PodInitializing"),
            "initContainerStatuses": [{"name": "mesh-init", "state": state}],
        }
        hold = read_pod_problem(status)
        assert hold
        assert hold.reason == ConditionReason.CONTAINER_NOT_CREATED
        assert f"the container mesh-init waits ({reason}): {message}" in hold.message
        assert "job.annotations" in hold.message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(
            {"reason": "OutOfcpu", "message": "Node did not have enough."},
            "OutOfcpu: Node did",
            id="node",
        ),
        pytest.param(
            {
                "initContainerStatuses": [
                    {"name": "mesh-init", "state": {"terminated": {"exitCode": 1}}}
                ]
            },
            "its init container mesh-init ended with exit code 1",
            id="init container",
        ),
        pytest.param({}, "Kubernetes gives no reason", id="nothing said"),
    ],
)
def test_pod_that_failed_before_its_trainer_ran_says_why_and_counts_as_a_failed_attempt(
    status: dict[str, Any], words: str
) -> None:
    found = read_pod(pod({"phase": "Failed", **status}))
    assert found
    assert found.attempt
    why = explain_failed_attempt(found.attempt)
    assert why.reason == ConditionReason.JOB_FAILED
    assert f"failed before the trainer ran: {words}" in why.message
    assert "does not count as a failed attempt" not in why.message


@pytest.mark.parametrize(
    ("others", "phase", "left"),
    [
        ([{"name": "proxy", "state": {"running": {}}}], "Running", ("proxy",)),
        (
            [{"name": "proxy", "state": {"waiting": {"reason": "ErrImagePull"}}}],
            "Running",
            ("proxy",),
        ),
        ([{"name": "proxy", "state": {"terminated": {"exitCode": 1}}}], "Failed", ()),
        ([], "Running", ()),
    ],
)
def test_containers_that_continue_after_the_trainer_are_known(
    others: list[dict[str, Any]], phase: str, left: tuple[str, ...]
) -> None:
    ended = {
        "name": "trainer",
        "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-03-01T11:04:00Z"}},
    }
    found = read_pod(pod({"phase": phase, "containerStatuses": [*others, ended]}))
    assert found
    assert found.running_containers == left
