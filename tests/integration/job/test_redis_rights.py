"""The rights in Redis of docs/how-to/database-and-redis.md are enough, and each is needed."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis

from retraining_job.contract import ApprovalAnswer
from retraining_job.errors import BadConfigurationError
from retraining_job.registry.history import StoredVersion, read_versions
from retraining_job.registry.pending import AuthoredAnswer, carry_out_approval
from retraining_job.registry.restore import restore_version
from retraining_job.runs.sign import sign_everything
from tests.integration.job.model_registry import KEY, ModelRegistry
from tests.integration.job.test_challenger import wait
from tests.integration.job.test_failures import with_password

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "database-and-redis.md"
COMMAND = re.compile(r"^ACL SETUSER retraining on >PASSWORD (.*?)^```", re.DOTALL | re.MULTILINE)
PASSWORD = "made-up"  # noqa: S105  # for a server that ends with the test

RegistryWith = Callable[[Sequence[str]], ModelRegistry]


def documented_rights() -> list[str]:
    command = COMMAND.search(PAGE.read_text())
    assert command
    return command[1].split()


@pytest.fixture
def registry_with(own_redis: redis.Redis, own_redis_server: str) -> Iterator[RegistryWith]:
    """Return a function that opens a registry whose user has only some rights."""

    def make(rights: Sequence[str]) -> ModelRegistry:
        own_redis.execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", "retraining", "on", f">{PASSWORD}", *rights
        )
        return ModelRegistry(
            with_password(own_redis_server, PASSWORD, "retraining"), SIGNING_KEY=KEY
        )

    yield make
    own_redis.acl_deluser("retraining")


def use_every_right(registry: ModelRegistry) -> list[StoredVersion]:
    """Publish, list versions, store a challenger and approve it, roll back, sign."""
    registry.publish("run-1", seed=1)
    registry.publish("run-2", seed=2)
    wait(registry, "run-3", seed=3)
    carry_out_approval(
        registry.settings("run-3").registry,
        AuthoredAnswer(ApprovalAnswer.APPROVE, "ann"),
    )
    wait(registry, "run-4", seed=4)
    carry_out_approval(
        registry.settings("run-4").registry, AuthoredAnswer(ApprovalAnswer.REJECT, "ann")
    )
    restore_version(registry.settings("back").registry, 1)
    sign_everything(registry.settings().registry)
    return read_versions(registry.settings().registry)


def test_documented_rights_are_enough(registry_with: RegistryWith) -> None:
    registry = registry_with(documented_rights())
    assert use_every_right(registry)
    assert registry.meta["restored_from"] == 1


@pytest.mark.parametrize("missing", ["@scripting", "@string", "@hash", "@keyspace", "@transaction"])
def test_message_about_a_missing_right_names_the_setting_and_the_page(
    registry_with: RegistryWith, missing: str
) -> None:
    with pytest.raises(BadConfigurationError, match=r"docs/how-to/database-and-redis\.md"):
        use_every_right(
            registry_with([right for right in documented_rights() if right != f"+{missing}"])
        )
