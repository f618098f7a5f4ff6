"""docs/reference/values.md: the chart's values with defaults and comments, from values.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from tests.pages.markdown import GENERATED, code, table

VALUES = Path(__file__).parents[2] / "charts" / "retraining-operator" / "values.yaml"


def render() -> str:
    """Render the page as Markdown."""
    text = VALUES.read_text()
    lines = text.splitlines()
    root = yaml.compose(text)
    assert isinstance(root, MappingNode)
    parts = [f"# Values of the chart\n\n{GENERATED}\n"]
    loose: list[tuple[str, str, str]] = []
    for key, value in root.value:
        if isinstance(value, MappingNode) and value.value and not value.flow_style:
            introduction = above(lines, key.start_mark.line)
            parts.append(f"## {key.value}\n\n{introduction}\n")
            parts.append(
                table(("value", "default", "meaning"), rows(value, lines, f"{key.value}."))
            )
        else:
            loose.append(
                (code(key.value), default_of(value, lines), beside(lines, key.start_mark.line))
            )
    parts.append("## Others\n")
    parts.append(table(("value", "default", "meaning"), loose))
    return "\n".join(parts)


def rows(mapping: MappingNode, lines: list[str], prefix: str) -> Iterator[tuple[str, str, str]]:
    """List the values of a section.

    Args:
        mapping: The section.
        lines: The lines of the file.
        prefix: The path to the section, with a dot at its end.

    Yields:
        Path, default and meaning.
    """
    for key, value in mapping.value:
        path = f"{prefix}{key.value}"
        if (
            isinstance(value, MappingNode)
            and value.value
            and not value.flow_style
            and key.value != "resources"
        ):
            yield from rows(value, lines, f"{path}.")
        else:
            yield code(path), default_of(value, lines), beside(lines, key.start_mark.line)


def default_of(node: Node, lines: list[str]) -> str:
    """Return a value's default as it is written in the file."""
    if isinstance(node, ScalarNode):
        return code(node.value)
    if isinstance(node, MappingNode) and not node.flow_style:
        return ", ".join(f"{key.value} {inline(value, lines)}" for key, value in node.value)
    return inline(node, lines)


def inline(node: Node, lines: list[str]) -> str:
    """Return a node's own text."""
    line = lines[node.start_mark.line]
    return code(line[node.start_mark.column : node.end_mark.column])


def beside(lines: list[str], number: int) -> str:
    """Return the comment at the end of a line; without one, that of the first line inside it."""
    _, mark, comment = lines[number].partition(" #")
    return comment.strip() if mark else ""


def above(lines: list[str], number: int) -> str:
    """Return the comment above a line."""
    found: list[str] = []
    while number and lines[number - 1].startswith("#"):
        number -= 1
        found.insert(0, lines[number].lstrip("# "))
    return " ".join(found)
