"""Builds columns from events, chunk by chunk, in bounded memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining_job.errors import BadDataError
from retraining_job.events.columns import Columns
from retraining_job.events.feature_json import FeaturesKind, collect_names, parse_many
from retraining_job.events.feature_values import (
    ABSENT,
    MISSING,
    encode_feature_value,
    encode_feature_values,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES_LIMIT = 1_000
"""Most different features. With more, the names hold data and are not features."""

COLUMN_FEATURES = ("amount", "amount_vs_user_avg")
"""The features that an event has in columns of the table, if its others were not stored."""

CHUNK_LIMIT = 10_000
"""Most events that are added at a time."""


class ColumnBuilder:
    """Columns that are being filled: one array for each feature.

    Each array has room for the requested rows and some more. The operating system provides memory
    only for the part of an array that is filled. `build` frees each array after sorting it.
    Therefore the rows are never in memory twice. A feature that first occurs late adds an array and
    does not copy others.

    Args:
        rows: Number of newest events that `build` returns.
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
        """Which values of a feature were texts. Only features with such a value have an entry."""
        self.left_out = 0

    def add(
        self,
        times: NDArray[np.int64],
        truth: Sequence[int],
        texts: Sequence[str | None],
        get_column_features: Callable[[int], Sequence[object]],
    ) -> None:
        """Add some events, at most `CHUNK_LIMIT`.

        Args:
            times: Shape (n,), int64. Microseconds since 1970, UTC.
            truth: 1 for an anomaly, 0 for a normal event, -1 if unknown.
            texts: `features_json` of each event.
            get_column_features: Returns the values of `COLUMN_FEATURES` of the event at an index.

        Raises:
            BadDataError: There are more than `NAMES_LIMIT` different features.
        """
        if self.filled + len(texts) > self.capacity:
            self._discard_old_rows()
        rows = slice(self.filled, self.filled + len(texts))
        objects, kinds = parse_many(texts)
        neutral = [index for index, features in enumerate(objects) if not features]
        self.times[rows], self.truth[rows], self.neutral[rows], self.kinds[rows] = (
            times,
            truth,
            False,
            kinds,
        )
        names = collect_names(objects)
        needed = names.union(COLUMN_FEATURES) if neutral else names
        for name in sorted(needed.difference(self.features)):
            self._add_feature(name)
        for name, column in self.features.items():
            if name in names:
                values = list(map(dict.get, objects, repeat(name), repeat(ABSENT)))
                column[rows] = encode_feature_values(values)
                self._mark_texts(name, rows, values)
            else:
                column[rows] = MISSING
                if name in self.texts:
                    self.texts[name][rows] = False
        for index in neutral:
            row = self.filled + index
            self.neutral[row] = True
            for name, value in zip(COLUMN_FEATURES, get_column_features(index), strict=True):
                self.features[name][row] = encode_feature_value(value)
        self.filled = rows.stop

    def _mark_texts(self, name: str, rows: slice, values: list[Any]) -> None:
        """Mark which values of a feature are texts that contain a finite number."""
        if str in set(map(type, values)):
            if name not in self.texts:
                self.texts[name] = np.zeros(self.capacity, np.bool_)
            are_texts = np.fromiter(
                (isinstance(value, str) for value in values), np.bool_, len(values)
            )
            self.texts[name][rows] = are_texts & np.isfinite(self.features[name][rows])
        elif name in self.texts:
            self.texts[name][rows] = False

    def _add_feature(self, name: str) -> None:
        if len(self.features) >= NAMES_LIMIT:
            raise BadDataError(
                f"The events have more than {NAMES_LIMIT:,} different features, "
                f"{quote_name(name)} among them. Use the same names in features_json of every "
                "event, and store what differs as values."
            )
        self.features[name] = np.empty(self.capacity)
        self.features[name][: self.filled] = MISSING

    def _discard_old_rows(self) -> None:
        """Discard all but the newest `rows` rows."""
        order = self._compute_order()
        columns: list[NDArray[Any]] = [self.times, self.truth, self.neutral, self.kinds]
        columns += [*self.features.values(), *self.texts.values()]
        for column in columns:
            column[: len(order)] = column[order]
        self.filled = len(order)

    def _compute_order(self) -> NDArray[np.intp]:
        """Return the indexes of the newest rows, oldest to newest, shape (n,), intp.

        Rows of the same time are ordered by their content.
        """
        times = self.times[: self.filled]
        order = np.argsort(times, kind="stable")
        same = np.diff(times[order]) == 0
        tied = np.append(same, False) | np.insert(same, 0, False)
        if same.any():
            some = order[tied]
            features = (self.features[name] for name in sorted(self.features))
            # The sorts are stable, so the last key counts first.
            for key in (self.kinds, self.neutral, self.truth, *features, self.times):
                some = some[np.argsort(key[some], kind="stable")]
            order[tied] = some
        return order[-self.rows :]

    def build(self) -> Columns:
        """Return the newest rows as columns. The builder is empty afterwards."""
        order = self._compute_order()
        times, truth, neutral = self.times[order], self.truth[order], self.neutral[order]
        kinds = self.kinds[order]
        # In column order: filling a column needs as much memory as freeing its array returns.
        features = np.empty((len(order), len(self.features)), order="F")
        names: list[str] = []
        missing: list[int] = []
        unusable: list[int] = []
        texts: list[int] = []
        for name in sorted(self.features):
            column = features[:, len(names)]
            # Any mode other than "clip" copies the array first.
            np.take(self.features.pop(name), order, out=column, mode="clip")
            is_missing, is_unusable = np.isnan(column), np.isinf(column)
            if (is_missing | neutral).all() and not neutral.all():
                # No event has the feature of its own. The next feature overwrites the column.
                continue
            names.append(name)
            missing.append(int(is_missing.sum()))
            unusable.append(int(is_unusable.sum()))
            texts.append(int(self.texts[name][order].sum()) if name in self.texts else 0)
            column[is_unusable] = np.nan
        features = features[:, : len(names)]
        checksum = hashlib.sha256(
            json.dumps([names, missing, unusable, int(neutral.sum())]).encode()
        )
        for values in (times, truth, features.T):
            # Any, because numpy's types do not state that an array is a buffer.
            contiguous: Any = np.ascontiguousarray(values)
            checksum.update(memoryview(contiguous))
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


def quote_name(name: str) -> str:
    """Return a feature's name for a message: quoted, and cut to 40 characters."""
    return repr(name if len(name) <= 40 else f"{name[:40]}...")
