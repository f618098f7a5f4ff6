"""What the documentation says about the repository is true."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
THREAT_MODEL = ROOT / "docs" / "explanation" / "threat-model.md"
TEST = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def source_of(name: str) -> str:
    return "\n".join(path.read_text() for path in (ROOT / "tests").rglob(name))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    missing = []
    for file, test in TEST.findall(page.read_text()):
        source = source_of(file)
        if not source or (test and f"def {test}(" not in source):
            missing.append(f"{file}::{test}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_every_file_that_the_architecture_names_exists() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    roots = (ROOT, ROOT / "operator" / "retraining_operator", ROOT / "job_image" / "retraining_job")
    named = re.findall(r"`([\w/]+/[\w.]+\.(?:py|lua))`", page)
    assert named
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_every_promise_of_the_threat_model_names_its_test() -> None:
    text = THREAT_MODEL.read_text().split("## Promises")[1].split("## What is not")[0]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if row[0] not in {"| promise", "| attack"}]
    assert len(promises) > 60
    for promise, test in promises:
        assert TEST.search(test), promise
