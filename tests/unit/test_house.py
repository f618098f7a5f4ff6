"""The code keeps the rules of docs/glossary.md and CONTRIBUTING.md that a program can check."""

import ast
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, SourceFile, source_files
from tests.house.statistics import ambiguous_classes, longest_files, modules_beside_folders
from tests.house.words import findings, function_faults, starts_vaguely
from tests.mutants.__main__ import PACKAGES as MUTATED_PACKAGES
from tests.mutants.__main__ import TARGETS, Target

MAX_FILE_LINES = 300
MAX_MODULES_BESIDE_FOLDERS = 8
FILES = source_files()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_file_keeps_the_rules_of_words(file: SourceFile) -> None:
    assert list(findings(file)) == []


def test_no_file_is_too_long() -> None:
    assert [name for name, lines in longest_files(FILES) if lines > MAX_FILE_LINES] == []


def test_no_name_means_two_classes() -> None:
    assert ambiguous_classes([*FILES, *source_files(ROOT / "tests")]) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_has_few_modules_beside_its_folders(package: Path) -> None:
    assert len(modules_beside_folders(package)) <= MAX_MODULES_BESIDE_FOLDERS


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ('def f(a):\n    """Return a."""', []),
        ('def f(a):\n    """Give a."""', ["starts with Give"]),
        ('def f(a, b) -> None:\n    """Add a to b."""', ["has no Args"]),
        (
            'def f(a, b) -> int:\n    """Add.\n\n    Args:\n        a: A number.\n    """',
            ["Args lacks b", "has no Returns"],
        ),
        ('def f(a):\n    """Check a."""\n    raise ValueError(a)', ["has no Raises"]),
        ('def f(self, a):\n    """Return a."""', []),
    ],
)
def test_faults_of_a_docstring_are_found(source: str, faults: list[str]) -> None:
    [function] = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert list(function_faults(function, public=True)) == faults


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.module)
def test_module_to_mutate_and_its_tests_exist(target: Target) -> None:
    [package] = [one for one in MUTATED_PACKAGES if one.endswith(target.module.split("/")[0])]
    assert (ROOT / package).parent.joinpath(target.module).exists()
    assert [test for test in target.tests if not (ROOT / "tests/unit" / test).exists()] == []


@pytest.mark.parametrize(
    ("docstring", "vague"),
    [
        ("Let Kubernetes delete a Job.", True),
        ("Gives the time.", True),
        ("Return the time.", False),
        ("Letters of the alphabet.", False),
        ("", False),
    ],
)
def test_vague_verb_at_the_start_of_any_docstring_is_found(docstring: str, vague: bool) -> None:
    assert starts_vaguely(docstring) is vague
