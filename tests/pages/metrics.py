"""docs/reference/metrics.md: every metric with type, labels, help, from the operator's registry."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from retraining_operator.observability.gauges import (
    ConsumerState,
    IntakeState,
    Sources,
    WorkCounts,
)
from retraining_operator.observability.metrics import Metrics
from tests.pages.markdown import GENERATED, code, table

INTRODUCTION = f"""# Metrics

{GENERATED} The operator serves `/metrics`, `/health` and `/ready` on port 8005. The names \
`retraining_runs_total`,
`retraining_duration_seconds`, `model_promotions_total` and `last_retraining_timestamp` are \
those of the old service.

Counters count what this process has done since it started. Gauges are computed at each scrape \
from the present state.
Only the leader exports the gauges about work (all but `retraining_leader`). To be alerted if \
nobody leads, use
`absent(retraining_requests)` or `sum(retraining_leader) != 1`.

"""


def render() -> str:
    """Render the page as Markdown."""
    rows = [
        (
            code(shown_name(family)),
            family.type,
            ", ".join(map(code, labels(family))),
            family.documentation,
        )
        for family in sorted(families(), key=lambda family: family.name)
    ]
    return INTRODUCTION + table(("metric", "type", "labels", "meaning"), rows)


def families() -> Iterable[Metric]:
    """Collect all metrics of a leader with something in each gauge."""
    metrics = Metrics()
    metrics.export_gauges(
        Sources(
            leading=lambda: True,
            acting=lambda: True,
            work=lambda: WorkCounts(0, 0, 0, 0, None, 0.0, {}),
            consumer=lambda: ConsumerState(lags={("topic", 0): 0}),
            intake=lambda: IntakeState(backpressure={"": False}),
        )
    )
    metrics.export_skipped_batches([""])
    return metrics.registry.collect()


def shown_name(family: Metric) -> str:
    """Return a metric's name as it is scraped."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels(family: Metric) -> list[str]:
    """Return the names of a metric's labels."""
    names = {name for sample in family.samples for name in sample.labels if name != "le"}
    return sorted(names) or LABELS.get(family.name, [])


LABELS = {
    "retraining_outcomes": ["reason"],
    "retraining_approvals": ["reason"],
}
"""Labels of counters that have no sample before the first count."""
