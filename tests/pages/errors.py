"""docs/reference/errors.md: the classification of errors, from the tables in the code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from retraining_job.contract.postgres_errors import CANCELLED, POSTGRES_ERRORS, TLS
from retraining_job.contract.postgres_errors import UNKNOWN as POSTGRES_UNKNOWN
from retraining_job.contract.redis_errors import REDIS_ERRORS
from retraining_job.contract.redis_errors import UNKNOWN as REDIS_UNKNOWN
from retraining_operator.api.kubernetes_error_table import KUBERNETES_ERRORS
from retraining_operator.kafka.error_table import TABLE as KAFKA_ERRORS
from retraining_operator.kafka.error_table import UNKNOWN as KAFKA_UNKNOWN


class Row(Protocol):
    """What a row of each table has."""

    @property
    def code(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def retried(self) -> bool: ...
    @property
    def meaning(self) -> str: ...
    @property
    def advice(self) -> str: ...


@dataclass(frozen=True)
class ErrorTable:
    """One dependency."""

    title: str
    introduction: str
    rows: Iterable[Row]


INTRODUCTION = """# Errors of the services around the product

Generated from the tables in the code by `make pages`. An error is classified by its code, never \
by its English text.
An error that is in no table is retried, and the message says that it is unknown.
"""

SECTIONS = (
    ErrorTable(
        "PostgreSQL",
        "By SQLSTATE. A whole code counts before its class, which is the first two characters.",
        (*POSTGRES_ERRORS, CANCELLED, TLS, POSTGRES_UNKNOWN),
    ),
    ErrorTable(
        "Redis", "By the first word of the server's answer.", (*REDIS_ERRORS, REDIS_UNKNOWN)
    ),
    ErrorTable(
        "Kafka",
        "By the error's class. The most specific class counts.",
        (*KAFKA_ERRORS, KAFKA_UNKNOWN),
    ),
    ErrorTable(
        "Kubernetes",
        "By HTTP status and by the reason and the causes of the API server's answer; for a pod,"
        " by the reason that "
        "the kubelet, the scheduler or the Job controller gives.",
        KUBERNETES_ERRORS,
    ),
)


def render() -> str:
    """Render the page as Markdown."""
    return "\n".join(
        [INTRODUCTION, *(line for section in SECTIONS for line in render_section(section))]
    )


def render_section(section: ErrorTable) -> Iterable[str]:
    """Render one dependency's table, line by line."""
    yield f"## {section.title}\n"
    yield f"{section.introduction}\n"
    yield "| code | reason | retried | what it means | what to do |"
    yield "|---|---|---|---|---|"
    for row in section.rows:
        retried = "yes" if row.retried else "no"
        cells = (f"`{row.code}`", f"`{row.reason}`", retried, row.meaning.rstrip("."), row.advice)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""
