"""The report of one judged run: evidence in, a self-contained HTML page out. Pure.

Driven by the run, which keeps the page beside its row, and by the command line. From the outside
in: `page` puts the sections together; `curves`, `interval`, `spread`, `course`, `split` draw one
picture each and `tables` the tables; `drawing` has scales, axes and markers; `wording` writes
verdicts, numbers and dates for people; `markup` escapes.
"""

from retraining_job.report.page import render_report

__all__ = ["render_report"]
