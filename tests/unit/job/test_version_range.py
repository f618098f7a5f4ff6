"""Versions have one range, in Redis, documents, tables, the CRD and the publish script."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from retraining_job.contract import (
    CREATE_RUN_TABLE,
    HIGHEST_VERSION,
    Result,
    parse_version,
    read_result,
)
from retraining_job.errors import BadDataError
from retraining_job.registry.package import get_next_version
from retraining_job.registry.publish_script import read_script
from tests.unit.job.stored_documents import NOW, build_manifest, build_result

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"7", 7),
        (b"9007199254740991", HIGHEST_VERSION),
        (b"9007199254740992", None),
        (b"9" * 100, None),
        (b"007", None),
        (b"-7", None),
        (b"+7", None),
        (b" 7", None),
        (b"7\n", None),
        (b"7.0", None),
        (b"1e3", None),
        (b"", None),
        (None, None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}".encode(), None),
        (b"x", None),
    ],
)
def test_version_is_parsed_or_refused(text: bytes | None, number: int | None) -> None:
    assert parse_version(text) == number


def test_crd_allows_the_same_range() -> None:
    for path in ("crds", "charts/retraining-operator/crds"):
        crd = yaml.safe_load((ROOT / path / "retrainrequests.yaml").read_text())
        [version] = crd["spec"]["versions"]
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        limits = spec["rollbackTo"]["minimum"], spec["rollbackTo"]["maximum"]
        assert limits == (1, HIGHEST_VERSION)


@pytest.mark.parametrize("version", [0, -1, HIGHEST_VERSION + 1, 10**18])
def test_result_document_with_another_version_is_no_result(version: int) -> None:
    document = build_result(version=7).document()
    assert read_result(document)
    assert read_result(document.replace('"version":7', f'"version":{version}')) is None


def test_highest_version_is_the_last() -> None:
    assert get_next_version(HIGHEST_VERSION - 1) == HIGHEST_VERSION
    with pytest.raises(BadDataError, match="is the highest possible one"):
        get_next_version(HIGHEST_VERSION)
    with pytest.raises(ValidationError):
        build_manifest(HIGHEST_VERSION + 1)
    with pytest.raises(ValidationError):
        Result(
            run_id="r",
            reason="x",
            message="x",
            version=HIGHEST_VERSION + 1,
            started_at=NOW,
            finished_at=NOW,
        )


def test_columns_can_hold_every_version() -> None:
    for name in ("version", "champion_version"):
        assert re.search(rf"\b{name} BIGINT\b", CREATE_RUN_TABLE)


def test_script_compares_versions_as_texts_without_an_exponent() -> None:
    """Lua's tostring writes 1e+15 for a version of 16 digits."""
    script = read_script()
    assert "tostring(manifest.version)" not in script
    assert "string.format('%.0f', number)" in script
