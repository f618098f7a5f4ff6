"""`python -m tests.mutants`: change the pure modules and count the changes that no test notices.

mutmut knows sources in `src/` only, so both packages are copied to a folder of that layout first.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("operator/retraining_operator", "job_image/retraining_job")
LEAST_SHARE = 0.95
SETTINGS = """
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--import-mode=importlib"]
markers = ["slow"]
asyncio_mode = "auto"
pythonpath = [".", "src"]

[tool.mutmut]
source_paths = ["src"]
also_copy = ["tests", "crds", "charts", "docs", "README.md"]
only_mutate = {modules}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
do_not_mutate_patterns = ['logger\\.\\w+']
"""


class Target(NamedTuple):
    """A pure module and the tests that must notice each change of it."""

    module: str
    tests: tuple[str, ...]


PLANNING = (
    "test_plan.py",
    "test_trigger_policy.py",
    "test_admission_messages.py",
    "test_merging.py",
    "test_approval.py",
    "test_approval_status.py",
    "test_applied_approval.py",
    "test_ended_trainer.py",
)
PROMOTION = (
    "test_promotion_policy.py",
    "test_alert_rate.py",
    "test_first_model.py",
    "test_labels.py",
)
TARGETS = (
    *(
        Target(
            f"retraining_operator/planning/{module}.py",
            tuple(f"operator/{one}" for one in PLANNING),
        )
        for module in ("trigger_policy", "plan", "request_steps")
    ),
    Target(
        "retraining_operator/api/outcome.py",
        ("operator/test_outcome.py", "operator/test_failed_jobs.py"),
    ),
    Target("retraining_operator/api/approval_rules.py", ("operator/test_approval.py",)),
    Target(
        "retraining_operator/api/ownership.py",
        ("operator/test_ownership_rules.py",),
    ),
    Target("retraining_operator/api/request_limits.py", ("operator/test_request_limits.py",)),
    Target("retraining_operator/api/resources.py", ("operator/test_resources.py",)),
    Target(
        "retraining_job/registry/signing.py",
        (
            "job/test_signing_vectors.py",
            "job/test_changed_documents.py",
            "job/test_forged_documents.py",
        ),
    ),
    Target("retraining_job/registry/freshness.py", ("job/test_freshness.py",)),
    Target("retraining_job/registry/places.py", ("job/test_history_places.py",)),
    *(
        Target(f"retraining_job/evaluation/{module}.py", tuple(f"job/{one}" for one in PROMOTION))
        for module in ("promotion_policy", "promotion_rules", "alert_rate")
    ),
    Target("retraining_job/evaluation/split.py", ("job/test_split.py",)),
    Target("retraining_job/evaluation/metrics.py", ("job/test_metrics.py",)),
)


def main() -> int:
    """Run mutmut and print the survivors. Returns 1 if too few mutants are killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of module paths, such as split")
    only = parser.parse_args().only
    targets = [one for one in TARGETS if not only or any(part in one.module for part in only)]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        prepare(workspace, targets)
        mutmut(workspace, "run")
        survivors = "\n".join(describe(workspace, name) for name in surviving(workspace))
        mutmut(workspace, "export-cicd-stats")
        found = json.loads((workspace / "mutants/mutmut-cicd-stats.json").read_text())
    total, killed = int(found["total"]), int(found["killed"]) + int(found.get("timeout", 0))
    sys.stdout.write(f"{survivors}\nKilled {killed} of {total} mutants ({killed / total:.1%}).\n")
    if killed < LEAST_SHARE * total:
        sys.stdout.write(f"At least {LEAST_SHARE:.0%} are needed.\n")
        return 1
    return 0


def prepare(workspace: Path, targets: list[Target]) -> None:
    """Copy everything that the tests need.

    Args:
        workspace: An empty folder.
        targets: The modules to change.
    """
    for package in PACKAGES:
        shutil.copytree(ROOT / package, workspace / "src" / Path(package).name)
    for folder in ("tests", "crds", "charts", "docs"):
        shutil.copytree(ROOT / folder, workspace / folder)
    shutil.copy(ROOT / "README.md", workspace)
    modules = [f"src/{one.module}" for one in targets]
    tests = sorted({f"tests/unit/{test}" for one in targets for test in one.tests})
    settings = SETTINGS.format(modules=json.dumps(modules), tests=json.dumps(tests))
    (workspace / "pyproject.toml").write_text(settings)


def surviving(workspace: Path) -> list[str]:
    """Return the names of the mutants that no test has noticed."""
    lines = [line.strip() for line in mutmut(workspace, "results").splitlines()]
    return [line.partition(":")[0] for line in lines if line.endswith((": survived", ": no tests"))]


def describe(workspace: Path, mutant: str) -> str:
    """Return a mutant's name with the lines that it changes."""
    lines = mutmut(workspace, "show", mutant).splitlines()
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join([mutant, *changed])


def mutmut(workspace: Path, *command: str) -> str:
    """Run a command of mutmut.

    Args:
        workspace: Where the copies are.
        command: Its name and arguments.

    Returns:
        What it printed.

    Raises:
        subprocess.CalledProcessError: It failed, for example if a test fails without changes.
    """
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *command],
        cwd=workspace,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
