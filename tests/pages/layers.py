"""docs/images/layers.svg: the folders of both packages by layer, from import-linter's contracts."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = {"retraining_operator": "operator", "retraining_job": "job_image"}
WIDTH, ROW, GAP, TOP = 470, 44, 8, 60
LINE = 34
"""Characters of a description that fit under a name, for each 220 units of width."""


class Member(NamedTuple):
    """A folder or a module of a package's top level."""

    name: str
    meaning: str


def render() -> str:
    """Draw both packages beside each other, the highest layer at the top."""
    columns = [(package, list(layers(package))) for package in PACKAGES]
    height = TOP + max(len(rows) for _, rows in columns) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH + 20} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{2 * WIDTH + 20}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (package, rows) in enumerate(columns):
        left = 10 + number * WIDTH
        parts.append(f'<text x="{left}" y="26" font-size="16" font-weight="600">{package}</text>')
        parts.append(
            f'<text x="{left}" y="45" fill="#57606a">each layer imports only those below it</text>'
        )
        for position, members in enumerate(rows):
            parts.extend(draw_layer(members, left, TOP + position * (ROW + GAP)))
    return "\n".join([*parts, "</svg>", ""])


def layers(package: str) -> Iterator[list[Member]]:
    """Read a package's layers.

    Args:
        package: Its name.

    Yields:
        The members of a layer, the highest layer first.
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in contracts["contracts"]:
        if contract.get("containers") == [package]:
            for layer in contract["layers"]:
                names = [name.strip(" ()") for name in layer.replace(":", "|").split("|")]
                yield [Member(name, meaning_of(package, name)) for name in names]


def meaning_of(package: str, name: str) -> str:
    """Return the first sentence of a member's docstring.

    Args:
        package: The package.
        name: The folder or module.

    Returns:
        The sentence without its full stop; nothing for a module.
    """
    path = ROOT / PACKAGES[package] / package / name / "__init__.py"
    if not path.exists():
        return ""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n")[0].split(". ")[0].rstrip(".")


def draw_layer(members: list[Member], left: int, top: int) -> Iterator[str]:
    """Draw the members of a layer side by side.

    Args:
        members: The members.
        left: Where the layer starts.
        top: Its upper edge.

    Yields:
        Elements of SVG.
    """
    width = (WIDTH - 30 - GAP * (len(members) - 1)) / len(members)
    for number, member in enumerate(members):
        x = left + number * (width + GAP)
        fill = "#ddf4ff" if member.meaning else "#f6f8fa"
        yield (
            f'<rect x="{x:.0f}" y="{top}" width="{width:.0f}" height="{ROW}" rx="6"'
            f' fill="{fill}" stroke="#57606a"/>'
        )
        fits = int(LINE * width / 220)
        short = member.meaning.split(":")[0]
        meaning = next((text for text in (member.meaning, short) if len(text) <= fits), "")
        y = top + (18 if meaning else 27)
        name = escape(member.name)
        yield f'<text x="{x + 8:.0f}" y="{y}" font-weight="600" font-size="12.5">{name}</text>'
        if meaning:
            yield (
                f'<text x="{x + 8:.0f}" y="{top + 35}" font-size="11.5" fill="#57606a">'
                f"{escape(meaning)}</text>"
            )
