"""docs/images/calibration.svg: the combined score before and after a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import median

from tests.quality.calibration import CalibrationTrial, Source

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 230, 40, 22, 64
"""In pixels."""
BEFORE, AFTER, PART = "#b4690e", "#1f6feb", "#8a8f98"


def draw_calibration(results: Sequence[tuple[Source, list[CalibrationTrial]]]) -> str:
    """Draw one line for each source, from the median before to the median after.

    Args:
        results: The trials of each source.

    Returns:
        The picture as SVG.
    """
    height = TOP + ROW * len(results) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="22" font-weight="600" font-size="14">Average precision of the combined '
        "score on the hold-out</text>",
        draw_legend(),
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = place(tick)
        parts.append(
            f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 26}" stroke="#e3e5e8"/>'
        )
        parts.append(
            f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle" fill="#57606a">'
            f"{tick:g}</text>"
        )
    for number, (source, trials) in enumerate(results):
        parts += draw_row(source.name, trials, TOP + ROW * number + 8)
    return "\n".join([*parts, "</svg>", ""])


def draw_legend() -> str:
    """Draw what the marks mean."""
    marks = [(BEFORE, "without calibration"), (AFTER, "calibrated"), (PART, "better part alone")]
    texts = []
    for number, (color, text) in enumerate(marks):
        x = 22 + 170 * number
        texts.append(f'<circle cx="{x}" cy="40" r="5" fill="{color}"/>')
        texts.append(f'<text x="{x + 11}" y="44">{text}</text>')
    return "".join(texts)


def draw_row(name: str, trials: Sequence[CalibrationTrial], y: int) -> list[str]:
    """Draw the line of one source.

    Args:
        name: Its name.
        trials: Its trials.
        y: The vertical place, in pixels.

    Returns:
        The elements.
    """
    before = place(median(one.before for one in trials))
    after = place(median(one.after for one in trials))
    part = place(median(one.best_part for one in trials))
    return [
        f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
        f'<line x1="{before:.1f}" y1="{y}" x2="{after:.1f}" y2="{y}" stroke="{AFTER}" '
        'stroke-width="2" stroke-opacity="0.4"/>',
        f'<line x1="{part:.1f}" y1="{y - 7}" x2="{part:.1f}" y2="{y + 7}" stroke="{PART}" '
        'stroke-width="2"/>',
        f'<circle cx="{before:.1f}" cy="{y}" r="5" fill="{BEFORE}"/>',
        f'<circle cx="{after:.1f}" cy="{y}" r="5" fill="{AFTER}"/>',
    ]


def place(value: float) -> float:
    """Return the horizontal place of an average precision, in pixels."""
    return LEFT + value * (WIDTH - LEFT - RIGHT)
