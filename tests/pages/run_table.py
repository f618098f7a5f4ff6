"""docs/reference/retraining-runs.md: the columns of `retraining_runs`, from their declaration."""

from __future__ import annotations

from retraining_job.contract.run_table import RUN_COLUMNS
from tests.pages.markdown import GENERATED, code, table

INTRODUCTION = f"""# The table retraining_runs

{GENERATED} Each run has one row. The trainer writes it; the operator writes it if no trainer \
could. Each promotion also
has a row in `model_versions` (`version`, `trained_at`, `trigger_reason`, `precision_score`, \
`n_samples`, `run_id`).

"""


def render() -> str:
    """Render the page as Markdown."""
    rows = [(code(one.name), one.sql_type, one.meaning) for one in RUN_COLUMNS]
    return INTRODUCTION + table(("column", "type", "meaning"), rows)
