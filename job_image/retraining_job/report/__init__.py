"""The report of one run: a self-contained HTML page that is rendered from the evidence. No I/O.

`page` joins the sections. `header`, `precision_recall`, `difference`, `split_bar`,
`score_histograms` and `periods` draw one section each; `metrics_table`, `input_tables`,
`label_tables` and `run_tables` hold the tables. `drawing` has scales, axes and markers, `formats`
formats numbers and times, and `markup` escapes text.
"""

from retraining_job.report.page import render_report

__all__ = ["render_report"]
