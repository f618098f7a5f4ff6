"""Valid and invalid approvals in an annotation."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.approval import Approval, InvalidApprovalError, read_approval
from retraining_operator.contract import ApprovalAnswer


@pytest.mark.parametrize(
    ("text", "approval"),
    [
        ("approve", Approval(ApprovalAnswer.APPROVE)),
        ("reject", Approval(ApprovalAnswer.REJECT)),
        (" approve\n", Approval(ApprovalAnswer.APPROVE)),
        ("approve by Jane Doe", Approval(ApprovalAnswer.APPROVE, "Jane Doe")),
        (
            "reject  by  jane.doe@example.com ",
            Approval(ApprovalAnswer.REJECT, "jane.doe@example.com"),
        ),
        ("approve by Zoë O'Neill-Šimić", Approval(ApprovalAnswer.APPROVE, "Zoë O'Neill-Šimić")),
        ("approve by by", Approval(ApprovalAnswer.APPROVE, "by")),
        ("reject by " + "x" * 100, Approval(ApprovalAnswer.REJECT, "x" * 100)),
    ],
)
def test_answer_and_author_are_parsed(text: str, approval: Approval) -> None:
    assert read_approval(text) == approval


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
def test_message_about_an_invalid_annotation_says_what_is_allowed(text: str) -> None:
    with pytest.raises(
        InvalidApprovalError, match=r"retraining.dev/approval .* approve or reject.* at most 100"
    ):
        read_approval(text)


@pytest.mark.slow
@given(st.one_of(st.text(), st.text().map("approve by {}".format)))
def test_parsed_approval_parses_to_itself(text: str) -> None:
    with contextlib.suppress(InvalidApprovalError):
        approval = read_approval(text)
        assert read_approval(str(approval)) == approval
