"""Carries out the steps of a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from retraining_operator.audit.writer import AuditWriter
from retraining_operator.controller.approval_keeper import ApprovalKeeper
from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.controller.concluder import Concluder
from retraining_operator.controller.job_cleanup import JobCleanup
from retraining_operator.controller.launcher import Launcher
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.observability.metrics import Metrics
from retraining_operator.planning.steps import (
    AcceptAnswer,
    ApplyApproval,
    Conclude,
    CreateApproval,
    EndJob,
    EndPod,
    EndUnstarted,
    FindJob,
    Launch,
    RecordOutcome,
    Replace,
    SetTtl,
    Step,
    WriteStatus,
)
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

Handler = Callable[[Any], Awaitable[None]]
"""Carries out the steps of one type."""


class Executor:
    """Passes each step to the part that carries out steps of its type.

    Args:
        status_writer: Writes statuses.
        launcher: Creates Jobs.
        approval_keeper: Creates RetrainApprovals and accepts answers.
        concluder: Stores outcomes.
        job_cleanup: Ends Jobs and pods.
    """

    def __init__(
        self,
        *,
        status_writer: StatusWriter,
        launcher: Launcher,
        approval_keeper: ApprovalKeeper,
        concluder: Concluder,
        job_cleanup: JobCleanup,
    ) -> None:
        self.approval_keeper = approval_keeper
        self.handlers: Mapping[type, Handler] = {
            Launch: launcher.launch,
            CreateApproval: approval_keeper.create,
            AcceptAnswer: approval_keeper.accept,
            ApplyApproval: launcher.apply_approval,
            WriteStatus: status_writer.write_planned,
            Conclude: concluder.conclude,
            FindJob: concluder.find_job,
            RecordOutcome: concluder.record_outcome,
            Replace: job_cleanup.end_replaced_job,
            EndPod: job_cleanup.end_pod,
            EndUnstarted: job_cleanup.end_unstarted_job,
            EndJob: job_cleanup.end_job,
            SetTtl: job_cleanup.set_ttl,
        }

    async def execute(self, step: Step) -> None:
        """Carry out one step.

        Raises:
            KubeError: If the API server did not do it; the step may be planned again.
            RetryLaterError: If what the step waits for has not happened yet.
        """
        await self.handlers[type(step)](step)


def build_executor(  # noqa: PLR0913  # the dependencies of its parts, by keyword
    *,
    cluster: KubeClient,
    cache: ClusterCache,
    metrics: Metrics,
    audit_writer: AuditWriter,
    event_recorder: EventRecorder,
    settings: Settings,
    fault_injection: FaultInjection,
    clock: Callable[[], datetime],
) -> Executor:
    """Build an executor and its parts.

    Args:
        cluster: The API server.
        cache: The watched objects.
        metrics: The process's metrics.
        audit_writer: Writes outcomes to the database.
        event_recorder: Writes Events.
        settings: The operator's settings.
        fault_injection: The points at which a test stops the process.
        clock: Returns the current time, UTC.

    Returns:
        The executor.
    """
    status_writer = StatusWriter(
        cluster=cluster,
        cache=cache,
        metrics=metrics,
        event_recorder=event_recorder,
        clock=clock,
    )
    launcher = Launcher(
        cluster=cluster,
        cache=cache,
        status_writer=status_writer,
        settings=settings,
        fault_injection=fault_injection,
        clock=clock,
    )
    approval_keeper = ApprovalKeeper(
        cluster=cluster,
        cache=cache,
        status_writer=status_writer,
        policy=ApprovalPolicy(cluster),
        settings=settings.approvals,
        apply=launcher.apply_approval,
        clock=clock,
    )
    concluder = Concluder(
        cluster=cluster,
        cache=cache,
        status_writer=status_writer,
        metrics=metrics,
        audit_writer=audit_writer,
        settings=settings,
        fault_injection=fault_injection,
        clock=clock,
    )
    job_cleanup = JobCleanup(
        cluster=cluster,
        cache=cache,
        settings=settings.job,
        fault_injection=fault_injection,
        clock=clock,
    )
    return Executor(
        status_writer=status_writer,
        launcher=launcher,
        approval_keeper=approval_keeper,
        concluder=concluder,
        job_cleanup=job_cleanup,
    )
