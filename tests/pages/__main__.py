"""`python -m tests.pages`: write the generated pages.

With --check, only report those that are out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.pages import errors, layers, metrics, reasons, request, result, run_table, values

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = {
    ROOT / "docs/images/layers.svg": layers.render,
    REFERENCE / "retraining-runs.md": run_table.render,
    REFERENCE / "errors.md": errors.render,
    REFERENCE / "metrics.md": metrics.render,
    REFERENCE / "reasons.md": reasons.render,
    REFERENCE / "result.md": result.render,
    REFERENCE / "retrainrequest.md": request.render_request,
    REFERENCE / "retrainapproval.md": request.render_approval,
    REFERENCE / "values.md": values.render,
}


def main() -> int:
    """Write or check every page. Returns 1 if a page is out of date and was not written."""
    parser = argparse.ArgumentParser(prog="python -m tests.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    stale = [
        page for page, render in PAGES.items() if not page.exists() or page.read_text() != render()
    ]
    for page in stale:
        name = page.relative_to(ROOT)
        if options.check:
            sys.stdout.write(f"{name} is out of date; `make pages` writes it.\n")
        else:
            page.write_text(PAGES[page]())
            sys.stdout.write(f"Wrote {name}.\n")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
