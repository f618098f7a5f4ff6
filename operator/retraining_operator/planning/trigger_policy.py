"""The trigger policy: whether a request may start now, waits, is merged into another, or is refused. Pure; see `plan`.

All of it is neutral by default, so that one trigger is one retrain. Nothing is remembered: what a
rule needs follows from the requests and Jobs in the cluster, so a restart or another setting
changes nothing about what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from retraining_operator.api.admission import Admission, Allow, Merge, Refuse, Wait
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.snapshot import DAY, Snapshot
from retraining_operator.settings import ConcurrencyPolicy


def admit_all(candidates: Sequence[RetrainRequest], found: Snapshot) -> dict[str, Admission]:
    """Ask about each request in order; what one gets, the next one finds.

    The answers are keyed by uid.
    """
    willing = [
        request
        for request in candidates
        if not request.spec.suspend and request.spec.rollback_to is None
    ]
    places = {request.uid: place for place, request in enumerate(willing, 1)}
    admissions: dict[str, Admission] = {}
    for request in candidates:
        newer = len(willing) - places.get(request.uid, len(willing))
        answer = admit(
            request, replace(found, newer=newer, newest=willing[-1].name if willing else "")
        )
        admissions[request.uid] = answer
        found = found.after(request, answer)
    return admissions


def admit(request: RetrainRequest, found: Snapshot) -> Admission:
    """Decide about one request; the first rule that objects counts."""
    objection = next((answer for rule in RULES if (answer := rule(request, found))), None)
    if isinstance(objection, Wait) and found.triggers.coalesce and not request.spec.suspend:
        older = next((waits for waits in found.waiting if is_mergeable(request, waits)), None)
        return Merge(older) if older else objection
    return objection or Allow()


def check_suspend(request: RetrainRequest, _: Snapshot) -> Wait | None:
    """Hold back one request, as its author asks."""
    if not request.spec.suspend:
        return None
    return Wait(
        ConditionReason.SUSPENDED, "spec.suspend is true; set it to false to let the Job start."
    )


def check_pause(_: RetrainRequest, found: Snapshot) -> Wait | None:
    """Hold back all."""
    if not found.triggers.paused:
        return None
    return Wait(
        ConditionReason.PAUSED,
        "All retrains are paused (triggers.paused); they start in order once it is false.",
    )


def allow_rollback(request: RetrainRequest, _: Snapshot) -> Allow | None:
    """Let the way back pass: whoever asks for a former version does not wait for retrains."""
    return Allow() if request.spec.rollback_to is not None else None


def check_replacement(_: RetrainRequest, found: Snapshot) -> Refuse | None:
    """Refuse what newer requests replace before it has started."""
    replacing = found.triggers.concurrency_policy is ConcurrencyPolicy.REPLACE
    if not replacing or found.newer < found.triggers.max_concurrent:
        return None
    return Refuse(
        ConditionReason.REPLACED,
        f"The newer request {found.newest} replaces it (triggers.concurrencyPolicy: Replace).",
    )


def check_breaker(_: RetrainRequest, found: Snapshot) -> Wait | None:
    """Hold back after failures in a row; when the time is over, let one through as a trial."""
    limit = found.triggers.breaker_failures
    failures = found.ends[-limit:] if limit else ()
    if not failures or len(failures) < limit or not all(run.failed for run in failures):
        return None
    last = failures[-1]
    until = last.ended_at + timedelta(seconds=found.triggers.breaker_reset_seconds)
    failed = f"The last {limit} retrains failed (triggers.breakerFailures), the latest, {last.name}, with {last.reason}"
    if found.now < until:
        return Wait(
            ConditionReason.BREAKER_OPEN,
            f"{failed}. The next is tried at {format_clock(until)}.",
            until,
        )
    if found.running:
        return Wait(
            ConditionReason.BREAKER_OPEN,
            f"{failed}. A trial runs; its success lets the others start.",
        )
    return None


def check_budget(_: RetrainRequest, found: Snapshot) -> Wait | None:
    """Hold back what a day has no room for."""
    limit = found.triggers.max_runs_per_day
    if not limit or len(found.starts) < limit:
        return None
    until = found.starts[-limit] + DAY
    message = (
        f"{len(found.starts)} retrains started within 24 hours, and {limit} may (triggers.maxRunsPerDay). "
        f"The next may start at {format_clock(until)}."
    )
    return Wait(ConditionReason.BUDGET_SPENT, message, until)


def check_cooldown(_: RetrainRequest, found: Snapshot) -> Wait | None:
    """Hold back for a while after a retrain has ended."""
    seconds = found.triggers.cooldown_seconds
    if not seconds or not found.ends:
        return None
    last = found.ends[-1]
    until = last.ended_at + timedelta(seconds=seconds)
    if found.now >= until:
        return None
    message = (
        f"The last retrain, {last.name}, ended at {format_clock(last.ended_at)}. "
        f"The next may start at {format_clock(until)} (triggers.cooldownSeconds: {seconds:,})."
    )
    return Wait(ConditionReason.COOLDOWN, message, until)


def check_concurrency(_: RetrainRequest, found: Snapshot) -> Wait | Refuse | None:
    """Let so many run at once and no more."""
    limit, policy = found.triggers.max_concurrent, found.triggers.concurrency_policy
    if found.running < limit:
        return None
    if policy is ConcurrencyPolicy.FORBID:
        message = (
            f"{found.running} retrains ran when it came, and {limit} may (triggers.maxConcurrent, concurrencyPolicy: "
            "Forbid), so it does not run. Apply a new RetrainRequest if it is still wanted."
        )
        return Refuse(ConditionReason.FORBIDDEN, message)
    if policy is ConcurrencyPolicy.REPLACE:
        return Wait(
            ConditionReason.QUEUED,
            "It replaces a running retrain and starts as soon as that one has stopped.",
        )
    return Wait(
        ConditionReason.QUEUED,
        f"It waits for a place: at most {limit} retrains run at once (triggers.maxConcurrent).",
    )


RULES: tuple[Callable[[RetrainRequest, Snapshot], Admission | None], ...] = (
    check_suspend,
    check_pause,
    allow_rollback,
    check_replacement,
    check_breaker,
    check_budget,
    check_cooldown,
    check_concurrency,
)
"""In the order in which they are asked; `urgent` ends the questions for those whom the later ones do not concern."""


def is_mergeable(request: RetrainRequest, older: RetrainRequest) -> bool:
    """Tell whether two requests ask for the same retrain, whatever made them ask."""
    return (
        read_comparable_spec(request) == read_comparable_spec(older)
        and request.spec.rollback_to is None
    )


def read_comparable_spec(request: RetrainRequest) -> object:
    """Give what a request asks for, without why."""
    return request.spec.model_copy(update={"reason": "", "trigger": None})


def format_clock(moment: datetime) -> str:
    """Write a time for people."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
