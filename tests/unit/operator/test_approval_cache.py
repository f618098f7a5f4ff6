"""The RetrainApprovals in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.watch.approval_cache import FOREIGN_LIMIT, ApprovalCache
from retraining_operator.watch.health import WatchHealth

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def approvals() -> ApprovalCache:
    return ApprovalCache(ProblemReporter(), WatchHealth(), asyncio.Event())


def recreated(body: dict[str, Any], version: int) -> dict[str, Any]:
    metadata = body["metadata"] | {"uid": f"uid-{version}", "resourceVersion": str(version)}
    return {**body, "metadata": metadata}


def test_older_version_does_not_replace_a_newer_one(
    approvals: ApprovalCache, approval_body: Build
) -> None:
    approvals.update(approval_body(version=9, answer="Approve", approver="joe"))
    approvals.update(approval_body(version=8))
    assert approvals.by_request["uid-of-first"].answer


def test_late_news_of_a_deletion_does_not_remove_the_successor(
    approvals: ApprovalCache, approval_body: Build
) -> None:
    first = approval_body(version=8)
    approvals.update(first)
    approvals.update(recreated(first, 12))
    approvals.forget(first["metadata"]["uid"])
    assert approvals.by_request["uid-of-first"].uid == "uid-12"
    approvals.forget("uid-12")
    assert approvals.by_request == {}


def test_object_whose_owner_was_changed_no_longer_counts(
    approvals: ApprovalCache, approval_body: Build
) -> None:
    approvals.update(approval_body(version=8))
    stolen = approval_body(version=9, answer="Approve", approver="eve")
    stolen["metadata"]["ownerReferences"] = []
    approvals.update(stolen)
    assert approvals.by_request == {}
    assert len(approvals.foreign) == 1


def test_object_of_somebody_else_does_not_replace_the_operator_s(
    approvals: ApprovalCache, approval_body: Build
) -> None:
    approvals.update(approval_body(version=8))
    foreign = recreated(approval_body(name="mine", answer="Approve", approver="eve"), 12)
    approvals.update(foreign)
    assert approvals.by_request["uid-of-first"].answer is None


def test_objects_of_others_are_bounded(approvals: ApprovalCache, approval_body: Build) -> None:
    for number in range(FOREIGN_LIMIT + 5):
        approvals.update(recreated(approval_body(name=f"mine-{number}"), 100 + number))
    assert len(approvals.foreign) == FOREIGN_LIMIT


def test_list_removes_what_is_gone_and_keeps_what_is_newer(
    approvals: ApprovalCache, approval_body: Build
) -> None:
    approvals.update(approval_body("first", version=8))
    approvals.update(approval_body("second", version=20))
    approvals.update(recreated(approval_body("third", name="mine"), 9))
    approvals.retain(set(), 10)
    assert list(approvals.by_request) == ["uid-of-second"]
    assert not approvals.foreign


def test_change_wakes_the_loop(approval_body: Build) -> None:
    changed = asyncio.Event()
    approvals = ApprovalCache(ProblemReporter(), WatchHealth(), changed)
    approvals.update(approval_body())
    assert changed.is_set()
    changed.clear()
    approvals.update(approval_body())  # the same version
    assert not changed.is_set()
    approvals.forget("uid-of-approval-of-first")
    assert changed.is_set()
