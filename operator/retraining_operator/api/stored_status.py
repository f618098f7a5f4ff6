"""The stored status of a RetrainRequest, as far as it can be read."""

from __future__ import annotations

from collections.abc import Mapping

from retraining_operator.api.conditions import Status
from retraining_operator.api.fields import Fields, bound_value, parse_time

STATUS_FIELDS_LIMIT = 50
TIME_FIELDS = frozenset({"startTime", "completionTime", "approvalTime"})
FIELD_TYPES: Mapping[str, type] = {
    **dict.fromkeys(
        (
            "jobName",
            "jobUid",
            "approvalJobName",
            "approvalJobUid",
            "verdict",
            "withheld",
            "approval",
            "approvalBy",
            "approvalComment",
            "retrainApprovalUid",
            "mergedInto",
        ),
        str,
    ),
    "approvalVerified": bool,
    **dict.fromkeys(("attempts", "version", "championVersion", "samples"), int),
    **dict.fromkeys(("conditions", "launches"), list),
    **dict.fromkeys(("waitingFor", "window", "metrics", "merged"), dict),
}
"""The types of the fields of a status, as JSON has them. The CRD declares the same."""
NOT_CACHED_FIELDS = frozenset({"logTail"})


def read_status(value: object) -> Status:
    """Read the stored status. A field of the wrong type counts as missing.

    The end of the log is left out: it is long, and only needed when the outcome is recorded.
    """
    status: Status = {}
    for name, field in list(Fields.of(value).values.items())[:STATUS_FIELDS_LIMIT]:
        if name in NOT_CACHED_FIELDS or not is_of_type(name, field):
            continue
        status[name] = bound_value(field)
    return status


def is_of_type(name: str, value: object) -> bool:
    """Return whether a field of a status has the type that the CRD declares.

    Args:
        name: The field. Unknown ones may have any type.
        value: Its value.

    Returns:
        Whether the value can be used.
    """
    if name in TIME_FIELDS:
        return parse_time(value) is not None
    kind = FIELD_TYPES.get(name)
    return kind is None or (isinstance(value, kind) and isinstance(value, bool) == (kind is bool))
