"""Events as columns: what the `recommended` preset learns and judges from.

Filled chunk by chunk. Pure.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining_job.errors import BadDataError
from retraining_job.events.features import FeaturesKind, is_storable, number_in, object_in, parsed
from retraining_job.events.reading import FeatureFacts, ReadingFacts
from retraining_job.events.table import in_utc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining_job.events.table import Event

NAMES_LIMIT = 1_000
"""More different features than this are no features: someone writes data into their names."""

COLUMN_FEATURES = ("amount", "amount_vs_user_avg")
"""The features that an event has in columns of their own, for where its others were not kept."""

MISSING, UNUSABLE = np.nan, np.inf
"""How a column being filled marks a row without the feature, and one where it is no finite number."""

CHUNK_LIMIT = 10_000
"""The most events that are taken at once."""


@dataclass(frozen=True)
class Columns:
    """Events, oldest to newest.

    Events of the same time are ordered by what is in them, so that the order does not depend on how
    they were stored.
    """

    times: NDArray[np.datetime64]
    """(n,) datetime64[us], UTC."""
    names: tuple[str, ...]
    """The features that occur, sorted."""
    features: NDArray[np.float64]
    """(n, names), column by column in memory; NaN where the event has no such feature or no finite number for it."""
    truth: NDArray[np.int8]
    """(n,) 1 anomaly, 0 none, -1 unknown."""
    missing: NDArray[np.int64]
    """(names,) events without the feature."""
    unusable: NDArray[np.int64]
    """(names,) events that have it, and no finite number for it."""
    neutral: int
    """Events whose features were not kept: they have `amount` and `amount_vs_user_avg` from the events' own columns,
    where other events have these features too, or none has any."""
    checksum: str
    """SHA-256 over all of the above, as hexadecimal digits."""
    unreadable: int
    """Events whose `features_json` is there and holds no JSON object; they count as `neutral`, too."""
    decoded: int
    """Events whose `features_json` was a JSON string that holds a JSON object, which was read."""
    texts: NDArray[np.int64]
    """(names,) events whose value was a text that holds a finite number, and was read as that number."""
    left_out: int
    """Rows that were left out because their time cannot be used; they are none of the n events."""

    @property
    def facts(self) -> ReadingFacts:
        """How the events were read."""
        rows = len(self.times)
        counts = zip(self.names, self.missing, self.unusable, self.texts, strict=True)
        return ReadingFacts(
            rows=rows,
            labelled=int((self.truth >= 0).sum()),
            left_out=self.left_out,
            neutral=self.neutral,
            unreadable=self.unreadable,
            decoded=self.decoded,
            features=tuple(
                FeatureFacts(name, rows - int(missing), int(unusable), int(texts))
                for name, missing, unusable, texts in counts
            ),
        )


def columns_of(chunks: Iterable[Sequence[Event]], rows: int) -> Columns:
    """Give the newest `rows` events as columns; the events may come in any order.

    Raises:
        BadDataError: the events have too many different features.
    """
    gathering = ColumnBuilder(rows)
    for chunk in chunks:
        for start in range(0, len(chunk), CHUNK_LIMIT):
            add_events(gathering, chunk[start : start + CHUNK_LIMIT])
    return gathering.columns()


def add_events(gathering: ColumnBuilder, events: Sequence[Event]) -> None:
    """Take some events."""
    gathering.add(
        times_of(events),
        [truth_of(event.anomaly_label) for event in events],
        [event.features_json for event in events],
        lambda number: (events[number].amount, events[number].amount_vs_user_avg),
    )


class ColumnBuilder:
    """Columns being filled: one array for each feature, with room for the rows that are asked for and some to spare.

    The arrays' memory is taken up only as far as they are filled, and in the end each is let go as
    it is brought into order, so that the rows are never held twice. A feature that turns up late
    costs a column, no copy of the others.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.capacity = rows + max(rows // 4, CHUNK_LIMIT)
        self.filled = 0
        self.times = np.empty(self.capacity, np.int64)
        self.truth = np.empty(self.capacity, np.int8)
        self.neutral = np.empty(self.capacity, np.bool_)
        self.kinds = np.empty(self.capacity, np.uint8)
        self.features: dict[str, NDArray[np.float64]] = {}
        self.texts: dict[str, NDArray[np.bool_]] = {}
        """Which values of a feature were texts; there is one only for a feature that had one."""
        self.left_out = 0

    def add(
        self,
        times: NDArray[np.int64],
        truth: Sequence[int],
        texts: Sequence[str | None],
        own: Callable[[int], Sequence[object]],
    ) -> None:
        """Take some events, at most `CHUNK_LIMIT`.

        Args:
            times: microseconds since 1970.
            truth: 1, 0 or -1.
            texts: `features_json` as text.
            own: gives the values of `COLUMN_FEATURES` of one of these events by its place.

        Raises:
            BadDataError: there are too many different features by now.
        """
        if self.filled + len(texts) > self.capacity:
            self._forget()
        rows = slice(self.filled, self.filled + len(texts))
        kept, kinds = objects(texts)
        neutral = [number for number, one in enumerate(kept) if not one]
        self.times[rows], self.truth[rows], self.neutral[rows], self.kinds[rows] = (
            times,
            truth,
            False,
            kinds,
        )
        names = set().union(
            *set(map(tuple, kept))
        )  # few different tuples of names: quicker than many dictionaries
        for name in sorted(
            names.union(COLUMN_FEATURES if neutral else ()).difference(self.features)
        ):
            self._make_room(name)
        for name, column in self.features.items():
            if name in names:
                values = list(map(dict.get, kept, repeat(name), repeat(ABSENT)))
                column[rows] = numbers(values)
                self._mark_texts(name, rows, values)
            else:
                column[rows] = MISSING
                if name in self.texts:
                    self.texts[name][rows] = False
        for number in neutral:
            place = self.filled + number
            self.neutral[place] = True
            for name, value in zip(COLUMN_FEATURES, own(number), strict=True):
                self.features[name][place] = number_of(value)
        self.filled = rows.stop

    def _mark_texts(self, name: str, rows: slice, values: list[Any]) -> None:
        """Remember which values of a feature were texts that hold a finite number."""
        if str in set(map(type, values)):
            if name not in self.texts:
                self.texts[name] = np.zeros(self.capacity, np.bool_)
            are_texts = np.fromiter(
                (isinstance(value, str) for value in values), np.bool_, len(values)
            )
            self.texts[name][rows] = are_texts & np.isfinite(self.features[name][rows])
        elif name in self.texts:
            self.texts[name][rows] = False

    def _make_room(self, name: str) -> None:
        if len(self.features) >= NAMES_LIMIT:
            raise BadDataError(
                f"The events have more than {NAMES_LIMIT:,} different features, {shortened(name)} among them: "
                "features_json must hold the same names in every event, and what differs as their values."
            )
        self.features[name] = np.empty(self.capacity)
        self.features[name][: self.filled] = MISSING

    def _forget(self) -> None:
        """Keep only as many of the newest rows as are asked for."""
        order = self._order()
        columns: list[NDArray[Any]] = [self.times, self.truth, self.neutral, self.kinds]
        columns += [*self.features.values(), *self.texts.values()]
        for column in columns:
            column[: len(order)] = column[order]
        self.filled = len(order)

    def _order(self) -> NDArray[np.intp]:
        """Say where the newest rows are, oldest to newest, with ties in time broken by all that is in the rows."""
        times = self.times[: self.filled]
        order = np.argsort(times, kind="stable")
        same = np.diff(times[order]) == 0
        tied = np.append(same, False) | np.insert(same, 0, False)
        if same.any():
            some = order[tied]
            features = (self.features[name] for name in sorted(self.features))
            for key in (
                self.kinds,
                self.neutral,
                self.truth,
                *features,
                self.times,
            ):  # by the last first of all
                some = some[np.argsort(key[some], kind="stable")]
            order[tied] = some
        return order[-self.rows :]

    def columns(self) -> Columns:
        """Give what was gathered, in order; nothing is left here."""
        order = self._order()
        times, truth, neutral = self.times[order], self.truth[order], self.neutral[order]
        kinds = self.kinds[order]
        # Column by column in memory, so that it takes memory up no faster than the columns give
        # theirs back.
        features = np.empty((len(order), len(self.features)), order="F")
        names: list[str] = []
        missing: list[int] = []
        unusable: list[int] = []
        texts: list[int] = []
        for name in sorted(self.features):
            column = features[:, len(names)]
            np.take(
                self.features.pop(name), order, out=column, mode="clip"
            )  # any other mode makes a copy first
            lacks, bad = np.isnan(column), np.isinf(column)
            if (lacks | neutral).all() and not neutral.all():
                continue  # no event has it among its own features: the next one takes its place
            names.append(name)
            missing.append(int(lacks.sum()))
            unusable.append(int(bad.sum()))
            texts.append(int(self.texts[name][order].sum()) if name in self.texts else 0)
            column[bad] = np.nan
        features = features[:, : len(names)]
        checksum = hashlib.sha256(
            json.dumps([names, missing, unusable, int(neutral.sum())]).encode()
        )
        for values in (times, truth, features.T):
            checksum.update(memoryview(np.ascontiguousarray(values)))  # type: ignore[arg-type]  # numpy's array is a buffer
        return Columns(
            times=times.view("datetime64[us]"),
            names=tuple(names),
            features=features,
            truth=truth,
            missing=np.array(missing, np.int64),
            unusable=np.array(unusable, np.int64),
            neutral=int(neutral.sum()),
            checksum=checksum.hexdigest(),
            unreadable=int((kinds == FeaturesKind.UNREADABLE).sum()),
            decoded=int((kinds == FeaturesKind.DECODED).sum()),
            texts=np.array(texts, np.int64),
            left_out=self.left_out,
        )


ABSENT: Any = object()
"""Stands for a feature that an event does not have."""

NUMBERS = {int, float, bool}


def objects(texts: Sequence[str | None]) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Read the JSON objects of some events.

    Returns:
        An object for each event, empty if there is none, and the `Kind` of what stands there, shape
        (n,).
    """
    values = values_of(texts)
    if values is None:
        read = [parsed(text) for text in texts]
        return [one for one, _ in read], np.array([kind for _, kind in read], np.uint8)
    kinds = np.zeros(len(values), np.uint8)
    kept: list[dict[str, Any]] = values
    for place, value in enumerate(values):
        if not isinstance(value, dict):
            try:
                kept[place], kinds[place] = object_in(value)
            except (ValueError, RecursionError):
                kept[place], kinds[place] = {}, FeaturesKind.UNREADABLE
    names = set().union(*set(map(tuple, kept)))
    if not all(map(is_storable, names)):
        for place, one in enumerate(kept):
            if not all(map(is_storable, one)):
                kept[place], kinds[place] = {}, FeaturesKind.UNREADABLE
    return kept, kinds


def values_of(texts: Sequence[str | None]) -> list[Any] | None:
    """Read some texts as JSON at once, which takes half the time; None if one of them alone is no JSON.

    A number that nobody can guess stands between every two texts. So pieces that are JSON only
    together are noticed.
    """
    mark = secrets.randbits(60)
    separator = f",{mark},"
    try:
        values: list[Any] = json.loads(f"[{separator.join(text or 'null' for text in texts)}]")
    except (ValueError, RecursionError):
        return None
    if len(values) != max(0, 2 * len(texts) - 1) or any(one != mark for one in values[1::2]):
        return None
    return values[::2]


def numbers(values: list[Any]) -> NDArray[np.float64]:
    """Make an array of a feature's values."""
    if NUMBERS.issuperset(map(type, values)):
        try:
            column = np.array(values, np.float64)
        except OverflowError:  # a whole number beyond all floats
            pass
        else:
            column[~np.isfinite(column)] = UNUSABLE
            column += 0.0  # makes -0.0, which PostgreSQL's jsonb does not know, 0.0
            return column
    return np.array([number_of(value) for value in values])


def number_of(value: object) -> float:
    """Make a value a finite number, or a mark."""
    if value is ABSENT:
        return MISSING
    number = number_in(value)
    return UNUSABLE if number is None else number


def truth_of(label: object) -> int:
    """Read a label: 1 for an anomaly, 0 for none, -1 where it does not tell."""
    if isinstance(label, str):
        word = label.strip().lower()
        if word in {"t", "true", "yes"}:
            return 1
        if word in {"f", "false", "no"}:
            return 0
        try:
            label = float(word)
        except ValueError:
            return -1
    number = number_of(label)
    return -1 if number == UNUSABLE else int(number != 0)


def times_of(events: Sequence[Event]) -> NDArray[np.int64]:
    """Give the events' times in microseconds since 1970; times without a zone are taken as UTC."""
    times = [in_utc(event.timestamp).replace(tzinfo=None) for event in events]
    return np.array(times, "datetime64[us]").view(np.int64)


def shortened(name: str) -> str:
    """Give a name as it may stand in a sentence."""
    return repr(name if len(name) <= 40 else f"{name[:40]}...")
