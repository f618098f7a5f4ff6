"""The CRD's schema has only keywords that an API server knows.

A comma in a description without quotes makes a keyword of half a sentence.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CRD = Path(__file__).parents[3] / "crds" / "retrainrequests.yaml"
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


def test_schema_has_only_keywords_that_an_api_server_knows() -> None:
    [version] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    assert list(unknown_keywords(version["schema"]["openAPIV3Schema"], "")) == []
