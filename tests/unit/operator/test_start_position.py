"""Where reading of a partition starts, in each case."""

import pytest

from retraining_operator.kafka.start_position import (
    CommitMetadata,
    CommittedOffset,
    FormerPartition,
    StartPosition,
    TopicIdentity,
    parse_metadata,
    resolve_committed,
    resolve_doubt,
    resolve_new,
)

NOW = TopicIdentity("cluster", "new")
BEFORE = TopicIdentity("cluster", "old")
ELSEWHERE = TopicIdentity("another cluster", "old")
FORMER = FormerPartition(frozenset({7}), 1_000)


@pytest.mark.parametrize(
    ("offset", "mark", "former", "place"),
    [
        pytest.param(7, None, None, 7, id="the same topic"),
        pytest.param(7, CommitMetadata(NOW, 3), FORMER, 7, id="a commit for this very topic"),
        pytest.param(
            7,
            CommitMetadata(ELSEWHERE, 3),
            FORMER,
            7,
            id="a commit of another cluster: the topic was moved",
        ),
        pytest.param(3, None, FORMER, 3, id="an offset that somebody set"),
        pytest.param(
            7,
            None,
            FORMER,
            StartPosition.IN_DOUBT,
            id="the offset that was committed for the earlier topic",
        ),
        pytest.param(
            3,
            CommitMetadata(BEFORE, 3),
            FORMER,
            StartPosition.IN_DOUBT,
            id="a commit for the earlier topic in this cluster",
        ),
    ],
)
def test_committed_offset_counts_unless_it_may_be_of_an_earlier_topic(
    offset: int,
    mark: CommitMetadata | None,
    former: FormerPartition | None,
    place: int | StartPosition,
) -> None:
    assert resolve_committed(CommittedOffset(offset, mark), NOW, former) == place


@pytest.mark.parametrize(
    ("later", "place"),
    [
        pytest.param(None, 7, id="nothing is later than what was handled"),
        pytest.param(7, 7, id="what is later comes behind the offset"),
        pytest.param(6, StartPosition.BEGINNING, id="what is later comes before the offset"),
        pytest.param(0, StartPosition.BEGINNING, id="all of it is later"),
    ],
)
def test_timestamps_distinguish_a_moved_topic_from_one_that_was_created_again(
    later: int | None, place: int | StartPosition
) -> None:
    assert resolve_doubt(7, later) == place


@pytest.mark.parametrize(
    ("number", "at_end", "is_known", "at_start", "place"),
    [
        pytest.param(0, False, False, 2, StartPosition.BEGINNING, id="earliest"),
        pytest.param(
            1, True, False, 2, StartPosition.END, id="latest, and there when the group began"
        ),
        pytest.param(2, True, False, 2, StartPosition.BEGINNING, id="latest, and added later"),
        pytest.param(1, True, True, 2, StartPosition.BEGINNING, id="latest, and handled before"),
    ],
)
def test_partition_without_an_offset_starts_so_that_no_record_is_lost(
    number: int, at_end: bool, is_known: bool, at_start: int, place: StartPosition
) -> None:
    assert (
        resolve_new(number, at_end=at_end, is_known=is_known, partitions_at_start=at_start) is place
    )


@pytest.mark.parametrize("mark", [CommitMetadata(NOW, 3), CommitMetadata(TopicIdentity("", ""), 0)])
def test_metadata_is_parsed_as_it_was_written(mark: CommitMetadata) -> None:
    assert parse_metadata(str(mark)) == mark


@pytest.mark.parametrize("metadata", [None, "", "x", "a/b", "a/b/c", "a/b/3/4"])
def test_metadata_of_others_is_not_parsed(metadata: str | None) -> None:
    assert parse_metadata(metadata) is None
