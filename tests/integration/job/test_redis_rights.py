"""The rights in Redis that docs/how-to/database-and-redis.md asks for are enough, and each of them is needed."""

import re
from pathlib import Path

import pytest

from retraining_job.contract import ApprovalDecision
from retraining_job.errors import BadConfigurationError
from retraining_job.registry.history import read_versions
from retraining_job.registry.pending import Approval, carry_out_approval
from retraining_job.registry.restore import restore_version
from retraining_job.runs.sign import sign_live_model
from tests.integration.job.shelf import KEY, Shelf
from tests.integration.job.test_challenger import wait
from tests.integration.job.test_failures import with_password

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "database-and-redis.md"
COMMAND = re.compile(r"^ACL SETUSER retraining on >PASSWORD (.*?)^```", re.DOTALL | re.MULTILINE)
PASSWORD = "made-up"  # noqa: S105  # for a server that ends with the test


def documented_rights():
    return COMMAND.search(PAGE.read_text())[1].split()


@pytest.fixture
def shelf_with(own_redis, own_redis_server):
    """Return a function that makes a shelf whose user has some rights."""

    def make(rights):
        own_redis.execute_command("ACL", "SETUSER", "retraining", "on", f">{PASSWORD}", *rights)
        return Shelf(with_password(own_redis_server, PASSWORD, "retraining"), SIGNING_KEY=KEY)

    yield make
    own_redis.execute_command("ACL", "DELUSER", "retraining")


def do_all(shelf):
    """Publish, look, store a challenger and decide on it, roll back, sign."""
    shelf.publish("run-1", seed=1)
    shelf.publish("run-2", seed=2)
    wait(shelf, "run-3", seed=3)
    carry_out_approval(
        shelf.settings("run-3").registry, Approval(ApprovalDecision.APPROVE, "ann"), floor=0
    )
    wait(shelf, "run-4", seed=4)
    carry_out_approval(
        shelf.settings("run-4").registry, Approval(ApprovalDecision.REJECT, "ann"), floor=0
    )
    restore_version(shelf.settings("back").registry, 1, floor=0)
    sign_live_model(shelf.settings().registry)
    return read_versions(shelf.settings().registry)


def test_documented_rights_are_enough(shelf_with):
    shelf = shelf_with(documented_rights())
    assert do_all(shelf)
    assert shelf.meta["restored_from"] == 1


@pytest.mark.parametrize("missing", ["@scripting", "@string", "@hash", "@keyspace", "@transaction"])
def test_missing_right_is_named_as_the_setting_s_and_the_page_is_named(shelf_with, missing):
    with pytest.raises(BadConfigurationError, match=r"docs/operations\.md"):
        do_all(shelf_with([right for right in documented_rights() if right != f"+{missing}"]))
