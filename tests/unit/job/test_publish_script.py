"""The publish script expects keys and arguments in the order in which Python sends them."""

import re

import pytest

from retraining_job.registry.publish_script import PublishArguments, PublishKeys, read_script


@pytest.mark.parametrize(
    ("table", "names"), [("KEYS", PublishKeys._fields), ("ARGV", PublishArguments._fields)]
)
def test_names_are_the_same_in_both_languages(table: str, names: tuple[str, ...]) -> None:
    [declared] = re.findall(rf"local ([A-Z_,\s]+?) = unpack\({table}\)", read_script())
    assert tuple(re.split(r",\s*", declared.lower())) == names


def test_script_uses_neither_table_by_number() -> None:
    assert not re.search(r"(KEYS|ARGV)\[", read_script())
