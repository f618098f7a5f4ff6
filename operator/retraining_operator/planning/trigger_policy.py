"""The trigger policy: whether a request may start, waits, is merged, or is refused.

With the default settings one trigger is one run. The policy has no memory: what a rule needs
follows from the requests and Jobs in the cluster, so a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from retraining_operator.api.admission import Admission, Allow, Merge, Refuse, Wait
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.fence import Fence
from retraining_operator.planning.snapshot import DAY, Snapshot
from retraining_operator.settings import ConcurrencyPolicy


def admit_all(
    candidates: Sequence[RetrainRequest], snapshot: Snapshot, fence: Fence | None = None
) -> dict[str, Admission]:
    """Answer each request in order. The answer for one changes the snapshot of the next.

    Args:
        candidates: The requests that could start, oldest first.
        snapshot: The snapshot for the first of them.
        fence: Stores which requests cannot be answered; None if nobody asks for them.

    Returns:
        The answers by the uid of the request.
    """
    fence = fence or Fence()
    competing = [
        request for request in candidates if not request.spec.suspend and not request.is_rollback
    ]
    positions = {request.uid: position for position, request in enumerate(competing, 1)}
    newest = competing[-1].name if competing else ""
    admissions: dict[str, Admission] = {}
    for request in candidates:
        newer = len(competing) - positions.get(request.uid, len(competing))
        seen = replace(snapshot, newer=newer, newest=newest)
        admission = fence.run(request, partial(admit, request, seen), None)
        if admission is not None:
            admissions[request.uid] = admission
            snapshot = snapshot.after(request, admission)
    return admissions


def admit(request: RetrainRequest, snapshot: Snapshot) -> Admission:
    """Answer one request. The first rule that has an answer decides.

    Args:
        request: The request.
        snapshot: What the rules look at.

    Returns:
        The answer.
    """
    answer: Admission = Allow()
    for rule in RULES:
        if found := rule(request, snapshot):
            answer = found
            break
    if isinstance(answer, Wait) and snapshot.triggers.coalesce and not request.spec.suspend:
        for older in snapshot.waiting:
            if is_mergeable(request, older):
                return Merge(older)
    return answer


def check_suspend(request: RetrainRequest, _: Snapshot) -> Wait | None:
    """Wait if the request is suspended.

    Args:
        request: The request.
        _: Not used by this rule.

    Returns:
        The answer, or None if the rule has none. The same holds for all rules.
    """
    if not request.spec.suspend:
        return None
    return Wait(
        ConditionReason.SUSPENDED, "spec.suspend is true. To start the Job, set it to false."
    )


def check_pause(_: RetrainRequest, snapshot: Snapshot) -> Wait | None:
    """Wait if all runs are paused.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    if not snapshot.triggers.paused:
        return None
    return Wait(
        ConditionReason.PAUSED,
        "All runs are paused (triggers.paused). They start in order once it is false.",
    )


def admit_rollback(request: RetrainRequest, snapshot: Snapshot) -> Allow | Wait | None:
    """Allow a rollback unless enough others are running. It does not wait for runs.

    Args:
        request: The request.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    if not request.is_rollback:
        return None
    limit = snapshot.triggers.max_rollbacks
    if snapshot.rollbacks < limit:
        return Allow()
    return Wait(
        ConditionReason.QUEUED,
        f"It waits because at most {limit} rollback(s) may be active (triggers.maxRollbacks).",
    )


def check_replacement(_: RetrainRequest, snapshot: Snapshot) -> Refuse | None:
    """Refuse a request that newer requests replace before it has started.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    is_replacing = snapshot.triggers.concurrency_policy is ConcurrencyPolicy.REPLACE
    if not is_replacing or snapshot.newer < snapshot.triggers.max_concurrent:
        return None
    return Refuse(
        ConditionReason.REPLACED,
        f"The newer request {snapshot.newest} replaces it (triggers.concurrencyPolicy: Replace).",
    )


def check_breaker(_: RetrainRequest, snapshot: Snapshot) -> Wait | None:
    """Wait after consecutive failures. When the reset time is over, one run may start as a trial.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    limit = snapshot.triggers.breaker_failures
    failures = snapshot.ends[-limit:] if limit else ()
    if not failures or len(failures) < limit or not all(run.failed for run in failures):
        return None
    last = failures[-1]
    until = last.ended_at + timedelta(seconds=snapshot.triggers.breaker_reset_seconds)
    failed = (
        f"The last {limit} runs failed (triggers.breakerFailures), most recently {last.name} "
        f"with {last.reason}."
    )
    if snapshot.now < until:
        message = f"{failed} The next run may start at {format_clock(until)}."
        return Wait(ConditionReason.BREAKER_OPEN, message, until)
    if snapshot.running:
        message = f"{failed} A trial is running. If it succeeds, the others start."
        return Wait(ConditionReason.BREAKER_OPEN, message)
    return None


def check_budget(_: RetrainRequest, snapshot: Snapshot) -> Wait | None:
    """Wait if the maximum number of runs in 24 hours is reached.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    limit = snapshot.triggers.max_runs_per_day
    if not limit or len(snapshot.starts) < limit:
        return None
    until = snapshot.starts[-limit] + DAY
    message = (
        f"{len(snapshot.starts)} runs started within 24 hours, and the limit is {limit} "
        f"(triggers.maxRunsPerDay). The next run may start at {format_clock(until)}."
    )
    return Wait(ConditionReason.BUDGET_SPENT, message, until)


def check_cooldown(_: RetrainRequest, snapshot: Snapshot) -> Wait | None:
    """Wait for some time after the end of a run.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    seconds = snapshot.triggers.cooldown_seconds
    if not seconds or not snapshot.ends:
        return None
    last = snapshot.ends[-1]
    until = last.ended_at + timedelta(seconds=seconds)
    if snapshot.now >= until:
        return None
    message = (
        f"The last run, {last.name}, ended at {format_clock(last.ended_at)}. "
        f"The next run may start at {format_clock(until)} (triggers.cooldownSeconds: {seconds:,})."
    )
    return Wait(ConditionReason.COOLDOWN, message, until)


def check_concurrency(_: RetrainRequest, snapshot: Snapshot) -> Wait | Refuse | None:
    """Wait, or refuse, if the maximum number of concurrent runs is reached.

    Args:
        _: Not used by this rule.
        snapshot: What the rule looks at.

    Returns:
        The answer, or None.
    """
    limit, policy = snapshot.triggers.max_concurrent, snapshot.triggers.concurrency_policy
    if snapshot.running < limit:
        return None
    if policy is ConcurrencyPolicy.FORBID:
        message = (
            f"{snapshot.running} runs were active when it arrived, and the limit is {limit} "
            "(triggers.maxConcurrent, concurrencyPolicy: Forbid), so it does not run. "
            "Apply a new RetrainRequest if it is still wanted."
        )
        return Refuse(ConditionReason.FORBIDDEN, message)
    if policy is ConcurrencyPolicy.REPLACE:
        return Wait(
            ConditionReason.QUEUED,
            "It replaces an active run and starts when that run has stopped.",
        )
    return Wait(
        ConditionReason.QUEUED,
        f"It waits because at most {limit} runs may be active (triggers.maxConcurrent).",
    )


RULES: tuple[Callable[[RetrainRequest, Snapshot], Admission | None], ...] = (
    check_suspend,
    check_pause,
    admit_rollback,
    check_replacement,
    check_breaker,
    check_budget,
    check_cooldown,
    check_concurrency,
)
"""In the order in which they are asked. Those after `admit_rollback` do not apply to rollbacks."""


def is_mergeable(request: RetrainRequest, older: RetrainRequest) -> bool:
    """Return whether two requests ask for the same run.

    Args:
        request: A request.
        older: An older request.

    Returns:
        True if their specs are equal except for reason and trigger, and they are not rollbacks.
    """
    is_same = read_comparable_spec(request) == read_comparable_spec(older)
    return is_same and not request.is_rollback


def read_comparable_spec(request: RetrainRequest) -> object:
    """Return the spec of a request without its reason and trigger."""
    return request.spec.model_copy(update={"reason": "", "trigger": None})


def format_clock(moment: datetime) -> str:
    """Format a time for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
