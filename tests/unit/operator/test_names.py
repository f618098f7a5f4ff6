"""Names are derived, unique where they must be, and short enough for a label."""

import re

from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.names import Task, build_job_name, build_request_name

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
TOPICS = st.text("abcXYZ019._-", min_size=1, max_size=249)
NUMBERS = st.integers(0, 2**31 - 1)
OFFSETS = st.integers(0, 2**63 - 1)


@given(TOPICS, NUMBERS, OFFSETS, OFFSETS)
def test_request_name_fits_a_label(topic: str, partition: int, offset: int, timestamp: int) -> None:
    name = build_request_name(topic, partition, offset, timestamp)
    assert LABEL.match(name)
    assert len(name) <= 63


def test_request_name_is_the_same_for_the_same_record() -> None:
    assert build_request_name("drift", 0, 5, 100) == build_request_name("drift", 0, 5, 100)


def test_topic_that_was_created_again_gives_new_names() -> None:
    assert build_request_name("drift", 0, 5, 100) != build_request_name("drift", 0, 5, 200)


def test_topics_that_look_alike_give_different_names() -> None:
    assert build_request_name("my.drift", 0, 5, 100) != build_request_name("my_drift", 0, 5, 100)


@given(st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), st.uuids())
def test_job_name_fits_a_label(request: str, uid: object) -> None:
    name = build_job_name(request, str(uid))
    assert LABEL.match(name)
    assert len(name) <= 63


def test_half_of_a_surrogate_pair_in_a_uid_is_part_of_the_name() -> None:
    assert build_job_name("first", "\ud800") != build_job_name("first", "\ud801")


def test_each_task_of_a_request_has_its_own_job() -> None:
    assert build_job_name("first", "uid-1", Task.DECIDE) != build_job_name(
        "first", "uid-1", Task.TRAIN
    )


def test_request_that_was_created_again_gets_a_new_job() -> None:
    assert build_job_name("first", "uid-1") != build_job_name("first", "uid-2")
