"""The live model is compared with the newest one that the audit trail knows."""

from typing import Any

import pytest

from retraining_job.registry.champion import check_freshness
from retraining_job.registry.freshness import AuditedVersions, describe_older_model
from retraining_job.registry.history import StoredVersion, find_highest_version
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.live import Live
from retraining_job.settings import DecideSettings
from tests.unit.job.stored_documents import KEYS, build_live, build_manifest

REGISTRY = DecideSettings(
    DATABASE_URL="none",
    REDIS_URL="redis://none",
    SIGNING_KEY=KEYS.current,
    run_id="run-9",
    approval="approve",
).registry


def test_newer_or_equal_model_is_fresh() -> None:
    for version in (9, 10):
        manifest = build_manifest(version)
        assert describe_older_model(AuditedVersions(9), version, manifest, has_model=True) is None


def test_older_model_is_described_with_both_versions() -> None:
    problem = describe_older_model(AuditedVersions(9), 7, build_manifest(7), has_model=True)
    assert problem
    assert "it is version 7, published at" in problem
    assert "the audit trail knows version 9" in problem
    problem = describe_older_model(AuditedVersions(9), 7, None, has_model=True)
    assert problem
    assert problem.startswith("it is version 7, and the audit trail knows version 9: ")
    problem = describe_older_model(AuditedVersions(9), 0, None, has_model=False)
    assert problem == "there is none, and the audit trail knows version 9"


@pytest.mark.parametrize(("accepted", "required"), [(0, 9), (8, 9), (9, 0), (12, 0)])
def test_accepted_loss_counts_until_a_newer_version_is_recorded(
    accepted: int, required: int
) -> None:
    assert AuditedVersions(9, accepted).required == required


def empty() -> Live:
    live = build_live(None)
    return Live(**{**vars(live), "model": None, "version": None, "state": None, "epoch": None})


def test_older_signed_model_is_refused_with_both_ways_out() -> None:
    live = build_live(build_manifest(7))
    with pytest.raises(UnreadableChampionError) as caught:
        check_freshness(REGISTRY, live, 7, AuditedVersions(9))
    assert caught.value.version == 7
    for way_out in ("rollback --to 7", "spec.rollbackTo: 7", "accept-loss"):
        assert way_out in str(caught.value)
    check_freshness(REGISTRY, live, 7, AuditedVersions(7))
    check_freshness(REGISTRY, live, 7, AuditedVersions(9, 9))


def test_emptied_redis_is_no_reason_for_a_first_model() -> None:
    with pytest.raises(UnreadableChampionError, match=r"there is none.*accept-loss") as caught:
        check_freshness(REGISTRY, empty(), 0, AuditedVersions(9))
    assert "rollback" not in str(caught.value)
    check_freshness(REGISTRY, empty(), 0, AuditedVersions(0))


def test_older_model_without_a_key_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    live = build_live(build_manifest(7), is_signing=False)
    check_freshness(REGISTRY, live, 7, AuditedVersions(9))
    assert "it is version 7" in caplog.text
    caplog.clear()
    check_freshness(REGISTRY, build_live(None, is_signing=False), 7, AuditedVersions(9))
    assert not caplog.text, "another program has versions of its own"


def stored(number: int, **fields: Any) -> StoredVersion:
    return StoredVersion(number, **fields)


def test_next_version_follows_only_what_is_proven() -> None:
    live = build_live(build_manifest(7))
    forged = stored(999_999_999_999_999, problem="its entry in the history is damaged")
    assert find_highest_version(live, [stored(3), forged], AuditedVersions(5)) == 7
    assert find_highest_version(live, [stored(8)], AuditedVersions(5)) == 8
    assert find_highest_version(live, [], AuditedVersions(12)) == 12


def test_version_key_proves_nothing_if_manifests_are_signed() -> None:
    live = Live(**{**vars(build_live(build_manifest(7))), "version": b"900", "epoch": b"900"})
    assert (live.highest, live.stamp.changes) == (7, 7)
    unsigned = Live(**{**vars(live), "is_signing": False})
    assert (unsigned.highest, unsigned.stamp.changes) == (900, 900)
