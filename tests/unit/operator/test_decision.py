"""What an annotation may say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.approval import NoRuling, Ruling, read_ruling
from retraining_operator.contract import Decision


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ("approve", Ruling(Decision.APPROVE)),
        ("reject", Ruling(Decision.REJECT)),
        (" approve\n", Ruling(Decision.APPROVE)),
        ("approve by Jane Doe", Ruling(Decision.APPROVE, "Jane Doe")),
        ("reject  by  jane.doe@example.com ", Ruling(Decision.REJECT, "jane.doe@example.com")),
        ("approve by Zoë O'Neill-Šimić", Ruling(Decision.APPROVE, "Zoë O'Neill-Šimić")),
        ("approve by by", Ruling(Decision.APPROVE, "by")),
        ("reject by " + "x" * 100, Ruling(Decision.REJECT, "x" * 100)),
    ],
)
def test_word_and_author_are_read(text: str, ruling: Ruling) -> None:
    assert read_ruling(text) == ruling


@pytest.mark.parametrize(
    "text",
    [
        "",
        "maybe",
        "Approve",
        "approved",
        "approve by",
        "approve Jane Doe",
        "approvebyJane",
        "approve by Jane\nDoe",
        "approve by Jane\x00",
        "approve by \u202eenaJ",
        "approve by " + "x" * 101,
        "approve or reject",
    ],
)
def test_anything_else_says_what_is_allowed(text: str) -> None:
    with pytest.raises(
        NoRuling, match=r"retraining.dev/decision .* approve or reject.* at most 100"
    ):
        read_ruling(text)


@given(st.one_of(st.text(), st.text().map("approve by {}".format)))
def test_what_was_read_reads_the_same_again(text: str) -> None:
    with contextlib.suppress(NoRuling):
        ruling = read_ruling(text)
        assert read_ruling(str(ruling)) == ruling
