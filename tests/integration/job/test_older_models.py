"""An older model that was put back, or an empty Redis, is noticed by the audit trail."""

from typing import Any

import pytest

from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from tests.integration.job.forgeries import copy_live, put_back
from tests.integration.job.model_registry import (
    KEY,
    MakeRegistry,
    ModelRegistry,
    model_of_seed,
    score,
)


def read_audited(registry: ModelRegistry, audited: AuditedVersions) -> Any:
    from retraining_job.registry.champion import read_champion  # noqa: PLC0415

    return read_champion(registry.settings().registry, audited)


def test_older_signed_model_that_was_put_back_is_refused(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    older = copy_live(registry)
    registry.publish("run-4", seed=4)
    registry.publish("run-5", seed=5)
    put_back(registry, older)
    assert registry.champion().version == 3, "its signature is valid"
    before = registry.contents()
    with pytest.raises(UnreadableChampionError, match=r"version 3.*knows version 5"):
        read_audited(registry, AuditedVersions(5))
    assert registry.contents() == before


def test_older_model_goes_on_under_a_new_version(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    older = copy_live(registry)
    registry.publish("run-4", seed=4)
    put_back(registry, older)
    audited = AuditedVersions(4)
    result = restore_version(registry.settings("back").registry, 3, audited=audited)
    assert (result.version, registry.meta["restored_from"], registry.meta["epoch"]) == (5, 3, 5)
    champion = read_audited(registry, AuditedVersions(5))
    assert score(champion.model) == score(model_of_seed(3))
    with pytest.raises(RollbackImpossibleError, match="Version 5 is live already"):
        restore_version(registry.settings("again").registry, 5, audited=AuditedVersions(5))


def test_older_model_without_a_state_goes_on_under_a_new_version(
    make_registry: MakeRegistry,
) -> None:
    registry = make_registry(KEY)
    package = registry.package(4)
    registry.publish("run-4", package=ModelPackage(package.pickle, None, package.provenance))
    run = registry.settings("back").registry
    assert restore_version(run, 4, audited=AuditedVersions(8)).version == 9
    assert registry.redis.get(registry.keys.model) == package.pickle
    assert registry.champion().version == 9


def test_emptied_redis_is_refused_until_the_loss_is_accepted(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    for name in registry.contents():
        registry.redis.delete(name)
    with pytest.raises(UnreadableChampionError, match=r"there is none.*knows version 3"):
        read_audited(registry, AuditedVersions(3))
    champion = read_audited(registry, AuditedVersions(3, accepted=3))
    assert (champion.model, champion.version, champion.highest) == (None, 0, 3)
    registry.publish("run-4", seed=4, champion=champion)
    assert (registry.meta["version"], registry.meta["epoch"]) == (4, 4), (
        "the epoch is above all that readers have seen"
    )


def test_older_model_of_an_unsigned_installation_stays_in_use(
    make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry("")
    champion = read_audited(registry, AuditedVersions(9))
    assert (champion.version, champion.highest) == (3, 9)
    assert "it is version 3" in caplog.text
