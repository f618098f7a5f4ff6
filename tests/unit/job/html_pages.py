"""Parses HTML pages and the charts in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET


def pictures(page: str) -> list[ET.Element]:
    """Return every SVG element of a page. Each must be well-formed XML."""
    found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    return [ET.fromstring(one) for one in found]  # noqa: S314


class Page(HTMLParser):
    """Parses a page strictly: every element but `meta` must be closed, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag != "meta":
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


class Picture:
    """One chart of a page, whose values are read by the labels of its axes."""

    def __init__(self, page: str, key: str) -> None:
        (self.root,) = [
            one
            for one in pictures(page)
            if one.get("aria-labelledby", "").startswith(f"{key}-title")
        ]
        texts = self.root.findall("text")
        self.across = self._axis([one for one in texts if one.get("text-anchor") == "middle"], "x")
        self.up = self._axis([one for one in texts if one.get("text-anchor") == "end"], "y")

        assert self.across == sorted(self.across)  # larger values are to the right
        assert [value for _, value in sorted(self.up)] == sorted(
            (value for _, value in self.up), reverse=True
        )  # and at the top

    def _axis(self, labels: list[ET.Element], along: str) -> list[tuple[float, float]]:
        found = [
            (float(one.get(along, "")), re.sub(r"\s*%$", "", one.text or "")) for one in labels
        ]
        numbers = [(place, text.replace("\N{MINUS SIGN}", "-")) for place, text in found]
        return [
            (place, float(text)) for place, text in numbers if re.fullmatch(r"[+-]?[\d.]+", text)
        ]

    def x(self, place: str | None) -> float:
        return _between(self.across, float(place or ""))

    def y(self, place: str | None) -> float:
        shifted = [
            (height - 4, value) for height, value in self.up
        ]  # the baseline of a label is below its middle
        return _between(shifted, float(place or ""))

    def of(self, name: str, *classes: str) -> list[ET.Element]:
        return [
            one for one in self.root.iter(name) if set(classes) <= set(one.get("class", "").split())
        ]


def _between(axis: list[tuple[float, float]], place: float) -> float:
    (low, one), (high, other) = axis[0], axis[-1]
    return one + (place - low) / (high - low) * (other - one)
