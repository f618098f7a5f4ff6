"""The CRDs' schemas have only keywords that an API server knows.

A comma in a description without quotes makes a keyword of half a sentence.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CRDS = sorted((Path(__file__).parents[3] / "crds").iterdir())
KEYWORDS = {
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minLength",
    "minimum",
    "not",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
}


def unknown_keywords(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Find what is no keyword of a structural schema.

    Args:
        schema: The schema of a field.
        path: The path to the field.

    Yields:
        Paths of unknown keywords.
    """
    for keyword in schema:
        if keyword not in KEYWORDS and not keyword.startswith("x-kubernetes-"):
            yield f"{path}: {keyword}"
    for name, field in schema.get("properties", {}).items():
        yield from unknown_keywords(field, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from unknown_keywords(schema[inner], f"{path}[]")


@pytest.mark.parametrize("crd", CRDS, ids=lambda file: file.stem)
def test_schema_has_only_keywords_that_an_api_server_knows(crd: Path) -> None:
    [version] = yaml.safe_load(crd.read_text())["spec"]["versions"]
    assert list(unknown_keywords(version["schema"]["openAPIV3Schema"], "")) == []


def fields_without_a_description(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Find the fields of an object, and those inside it, that nobody has described.

    Args:
        schema: The schema of the object.
        path: The path to the object.

    Yields:
        Their paths.
    """
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{path}.{name}"
        yield from fields_without_a_description(field.get("items", field), f"{path}.{name}")


def test_every_field_of_a_retrain_approval_is_described() -> None:
    [crd] = [file for file in CRDS if file.stem == "retrainapprovals"]
    [version] = yaml.safe_load(crd.read_text())["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    described = {"properties": {part: properties[part] for part in ("spec", "status")}}
    assert list(fields_without_a_description(described, "")) == []
