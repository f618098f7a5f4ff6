"""docs/reference/result.md: the result document, from its model."""

from __future__ import annotations

from retraining_job.contract.result import (
    RESULT_LIMIT_BYTES,
    ContenderMetrics,
    Contenders,
    PartMetrics,
    Result,
    Window,
)
from tests.pages.fields import fields_of
from tests.pages.markdown import GENERATED, code, table

INTRODUCTION = f"""# Result document

{GENERATED} The trainer writes it as the container's termination message (JSON, at most
{RESULT_LIMIT_BYTES} bytes), and the operator copies it to the request's status. Fields without \
a value are left out.
"""


def render() -> str:
    """Render the page as Markdown."""
    parts = [INTRODUCTION]
    for kind in (Result, Window, Contenders, ContenderMetrics, PartMetrics):
        description = (kind.__doc__ or "").strip().splitlines()[0]
        rows = [(code(field.name), code(field.type), field.meaning) for field in fields_of(kind)]
        parts.append(f"## {kind.__name__}\n\n{description}\n")
        parts.append(table(("field", "type", "meaning"), rows))
    return "\n".join(parts)
