"""Events as columns, which the `recommended` preset learns and evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining_job.events.reading import FeatureFacts, ReadingFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Columns:
    """Events, oldest to newest.

    Events of the same time are ordered by their content, so that the order does not depend on how
    they were stored.
    """

    times: NDArray[np.datetime64]
    """Shape (n,), datetime64[us], UTC."""
    names: tuple[str, ...]
    """The features that occur, sorted."""
    features: NDArray[np.float64]
    """Shape (n, n_names), float64, column by column in memory. NaN where the event lacks the
    feature or has no finite number for it."""
    truth: NDArray[np.int8]
    """Shape (n,), int8. 1 for an anomaly, 0 for a normal event, -1 if unknown."""
    missing: NDArray[np.int64]
    """Shape (n_names,), int64. Events without the feature."""
    unusable: NDArray[np.int64]
    """Shape (n_names,), int64. Events that have the feature, but not as a finite number."""
    neutral: int
    """Events whose own features were not stored. They have `amount` and `amount_vs_user_avg` from
    the table's columns, if other events have these features too, or if none has any."""
    checksum: str
    """SHA-256 over all of the above, as hexadecimal digits."""
    unreadable: int
    """Events whose `features_json` is present, but contains no JSON object. They are among
    `neutral`."""
    decoded: int
    """Events whose `features_json` is a JSON string that contains a JSON object, which was used."""
    texts: NDArray[np.int64]
    """Shape (n_names,), int64. Events whose value is a text that contains a finite number, which
    was used."""
    left_out: int
    """Rows that were left out because their time cannot be used. They are not among the n events.
    """

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
