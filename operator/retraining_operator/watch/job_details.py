"""Adds to a Job what its pods and Events show. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from retraining_operator.api.attempt_failure import explain_failed_attempt
from retraining_operator.api.job import EndedTrainer, Job
from retraining_operator.api.outcome import is_decisive, select_job_attempts
from retraining_operator.api.pod import Pod
from retraining_operator.api.pod_problems import SECONDS_CHARACTERS, PodProblem, Refusal

PODS_LIMIT = 100
"""How many pods of one request are kept."""


def add_details(job: Job, pods: Iterable[Pod], refusal: Refusal | None) -> Job:
    """Add to a Job what its pods and Events show.

    Args:
        job: The Job.
        pods: All pods of its request; those of other Jobs are ignored.
        refusal: The last rejection of a pod of the Job, or None.

    Returns:
        The Job with what it waits for, its last failure and the state of its trainer.
    """
    own_pods = [pod for pod in pods if pod.job_uid == job.uid]
    attempts = select_job_attempts(job, (pod.attempt for pod in own_pods if pod.attempt))
    last = attempts[-1] if attempts else None
    problem = next((pod.problem for pod in own_pods if pod.problem), None)
    return replace(
        job,
        waiting_for=problem or find_refused_pod(job, own_pods, refusal),
        is_starting=any(pod.is_alive and not pod.problem for pod in own_pods),
        last_failure=explain_failed_attempt(last) if last and last.exit_code != 0 else None,
        ended_trainer=find_ended_trainer(own_pods),
        is_trainer_running=any(pod.is_alive and pod.is_trainer_running for pod in own_pods),
        unstarted_since=find_start_of_wait(job, own_pods, refusal),
    )


def drop_surplus_pods(pods: dict[str, Pod]) -> None:
    """Drop pods of a request beyond PODS_LIMIT, those without a verdict first, the oldest first.

    Evictions do not count as failures, so a request may have had any number of pods.
    """
    surplus = len(pods) - PODS_LIMIT
    if surplus <= 0:
        return
    ended = [pod for pod in pods.values() if pod.attempt]
    ended.sort(key=lambda pod: (bool(pod.attempt and is_decisive(pod.attempt)), pod.created_at))
    for pod in [*ended, *pods.values()][:surplus]:
        pods.pop(pod.uid, None)


def find_refused_pod(job: Job, pods: Collection[Pod], refusal: Refusal | None) -> PodProblem | None:
    """Find out why the API server rejects the Job's next pod.

    Args:
        job: The Job.
        pods: The pods of the Job.
        refusal: The last rejection of a pod of the Job, or None.

    Returns:
        The problem; None if a pod exists, has been created since the rejection, or is not wanted.
    """
    if refusal is None or job.end or job.is_failing or job.is_suspended or job.active:
        return None
    if any(pod.is_alive or pod.created_at > refusal.at for pod in pods):
        return None
    return refusal.problem


def find_start_of_wait(job: Job, pods: Collection[Pod], refusal: Refusal | None) -> str | None:
    """Find since when a Job waits for its trainer to start.

    A Job that is suspended waits on purpose, for example in a queue of Jobs.

    Args:
        job: The Job.
        pods: The pods of the Job.
        refusal: The last rejection of a pod of the Job, or None.

    Returns:
        The time in UTC as Kubernetes formats times, or None if it does not wait.
    """
    if job.end or job.is_suspended:
        return None
    alive = [pod.unstarted_since for pod in pods if pod.is_alive]
    if alive:
        return max((since for since in alive if since), default=None) if all(alive) else None
    if refusal is None or find_refused_pod(job, pods, refusal) is None:
        return None
    ends = [pod.attempt.finished_at for pod in pods if pod.attempt]
    known = [time for time in (refusal.since, job.started_at, *ends) if time]
    return max(known, key=lambda time: time[:SECONDS_CHARACTERS], default=None)


def find_ended_trainer(pods: Iterable[Pod]) -> EndedTrainer | None:
    """Find a trainer that has ended in a pod that Kubernetes will not count as succeeded by itself.

    Another container of the pod still runs or has failed, or the pod is being deleted. A trainer
    that succeeded comes first: its verdict counts, whatever happens to another pod.
    """
    found = []
    for pod in pods:
        if pod.attempt is None or pod.phase == "Succeeded":
            continue
        succeeded = is_decisive(pod.attempt)
        if pod.running_containers or (succeeded and (pod.phase == "Failed" or pod.is_deleted)):
            found.append(
                EndedTrainer(
                    pod=pod.name,
                    pod_uid=pod.uid,
                    finished_at=pod.attempt.finished_at,
                    succeeded=succeeded,
                    is_deleted=pod.is_deleted,
                    running_containers=pod.running_containers,
                )
            )
    return max(found, key=lambda trainer: (trainer.succeeded, trainer.finished_at), default=None)
