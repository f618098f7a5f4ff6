"""docs/reference/retrainrequest.md and retrainapproval.md: spec and status, from the CRDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.pages.markdown import GENERATED, code, table

CRDS = Path(__file__).parents[2] / "crds"
REQUEST_EXAMPLE = """```
apiVersion: retraining.dev/v1alpha1
kind: RetrainRequest
metadata: {name: by-hand}
spec: {reason: check the new fraud pattern}
```
"""
APPROVAL_EXAMPLE = """The operator creates it. A person [answers](../how-to/approve.md) it:

```
kubectl patch rta NAME --type merge --patch 'spec: {answer: Approve, approver: jane}'
```
"""
Schema = Mapping[str, Any]


def render_request() -> str:
    """Render the page about RetrainRequests as Markdown."""
    return _render("retrainrequests.yaml", REQUEST_EXAMPLE)


def render_approval() -> str:
    """Render the page about RetrainApprovals as Markdown."""
    return _render("retrainapprovals.yaml", APPROVAL_EXAMPLE)


def _render(file: str, example: str) -> str:
    spec = yaml.safe_load((CRDS / file).read_text())["spec"]
    [version], kinds = spec["versions"], spec["names"]
    [short] = kinds["shortNames"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    parts = [
        f"# {kinds['kind']}\n\n`retraining.dev/{version['name']}`, short name `{short}`. "
        f"{GENERATED}\n",
        example,
    ]
    for part in ("spec", "status"):
        schema = properties[part]
        parts.append(f"## {part}\n\n{schema.get('description', '')}\n")
        parts.append(table(("field", "type", "values", "meaning"), rows(schema)))
    return "\n".join(parts)


def rows(schema: Schema, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """List the fields of an object, with those of objects inside it.

    Args:
        schema: The object's OpenAPI schema.
        prefix: The path to it, with a dot at its end.

    Yields:
        Path, type, allowed values and description.
    """
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield code(path), type_of(field), values_of(field), field.get("description", "")
        inner = field.get("items", field)
        yield from rows(inner, f"{path}[]." if "items" in field else f"{path}.")


def type_of(field: Schema) -> str:
    """Return a field's type in words."""
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {type_of(field['items'])}"
    return "time" if field.get("format") == "date-time" else kind


def values_of(field: Schema) -> str:
    """Return the values that a field allows, and its default."""
    found = [", ".join(code(value) for value in field.get("enum", []))]
    if "minimum" in field or "maximum" in field:
        found.append(range_of(field))
    if "maxLength" in field:
        found.append(f"at most {field['maxLength']} characters")
    if "default" in field:
        found.append(f"default {code(field['default'])}")
    return "; ".join(part for part in found if part)


def range_of(field: Schema) -> str:
    """Return the bounds of a number in words."""
    least, most = field.get("minimum"), field.get("maximum")
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"
