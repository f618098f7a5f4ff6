"""Hypothesis strategies for careless and hostile input of the operator."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

LONGEST_SENTENCE = 2500
"""In characters: the limit of a condition's message, and the text around it in a log line."""

texts = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(), max_size=30),  # including single surrogates
    st.sampled_from(
        [
            "",
            " ",
            "\0",
            "a\nb",
            "\u202edrift",
            "$(DATABASE_URL)",
            "{{7*7}}",
            "'; --",
            "x" * 1001,
            "é" * 1000,
        ]
    ),
)
numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 2**31, 2**63, 10**400, 1e308])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(texts, scalars, max_size=3)
)


def written(value: object) -> bytes:
    """Return JSON as a sender writes it. Single surrogates stay escaped."""
    return json.dumps(value, ensure_ascii=True).encode()


objects = st.builds(
    lambda reason, rest: {**rest, **reason},
    st.fixed_dictionaries({}, optional={"reason": st.one_of(texts, values)}),
    st.dictionaries(texts, values, max_size=2),
)
torn = st.builds(
    lambda text, at: text[: at % (len(text) + 1)], objects.map(written), st.integers(0, 200)
)
damaged = st.builds(
    lambda text, at, byte: text[: at % len(text)] + byte + text[at % len(text) :],
    objects.map(written),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=2),
)
monsters = st.sampled_from(
    [b"[" * 60_000, b"9" * 60_000, b'{"a":' * 9_000, b"\xef\xbb\xbf{}", b"x" * 70_000, b"{}\0"]
)
records = st.one_of(
    st.none(),
    st.binary(max_size=40),
    values.map(written),
    objects.map(written),
    torn,
    damaged,
    monsters,
)
"""Values of Kafka records."""

topics = st.one_of(
    st.text("abcXYZ019._-", min_size=1, max_size=20),
    st.sampled_from(["-" * 249, "A" * 249, "retraining-triggers"]),
)
places = st.tuples(
    topics, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1), st.integers(-(2**63), 2**63 - 1)
)
"""Topic, partition, offset and timestamp in ms. A producer may write any timestamp."""

quantities = st.one_of(
    st.sampled_from(
        ["1", "100m", "0.5", "64Mi", "2Gi", "0", "1Ki", "0.0000001", "9" * 30 + "Gi", "007"]
    ),
    st.integers(-1, 2**31),
)
resources = st.fixed_dictionaries(
    {},
    optional={
        side: st.fixed_dictionaries({}, optional={"cpu": quantities, "memory": quantities})
        for side in ("requests", "limits")
    },
)
shares = st.sampled_from(["0", "1", "0.5", "1.0", "0." + "9" * 18])
FIELDS: dict[str, SearchStrategy[Any]] = {
    "reason": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    "preset": st.sampled_from(["recommended", "reference"]),
    "rows": st.integers(1, 1_000_000),
    "minimumRows": st.integers(1, 1_000_000),
    "holdOutRows": st.integers(1, 100_000),
    "threshold": shares,
    "policy": st.sampled_from(["NonInferior", "Superior", "Reference"]),
    "margin": shares,
    "onInconclusive": st.sampled_from(["Keep", "Promote"]),
    "acceptInputChange": st.booleans(),
    "promotion": st.sampled_from(["Auto", "Manual"]),
    "dryRun": st.booleans(),
    "scaling": st.sampled_from(["Auto", "Linear", "None"]),
    "rollbackTo": st.integers(1, 2**53 - 1),
    "deadlineSeconds": st.integers(1, 604_800),
    "retries": st.integers(0, 20),
    "resources": resources,
    "suspend": st.booleans(),
}
plausible_specs = st.fixed_dictionaries({}, optional=FIELDS)
"""Specs whose fields are valid one by one."""
spoilt_specs = st.builds(
    lambda spec, name, value: {**spec, name: value},
    plausible_specs,
    st.one_of(st.sampled_from(sorted(FIELDS)), st.just("trigger"), texts),
    values,
)
"""Specs with one field of any value."""


def drawn(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """Draw a number of examples.

    Args:
        strategy: The strategy.
        count: The number of examples.

    Returns:
        The examples.
    """
    found: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value: Any) -> None:
        found.append(value)

    keep()
    return found


def flaw(sentence: str) -> str | None:
    """Return what is wrong with a message, or None if it is one line of limited length."""
    if not sentence.strip():
        return "it is empty"
    if len(sentence) > LONGEST_SENTENCE:
        return f"it has {len(sentence):,} characters"
    if "Traceback" in sentence:
        return "it is a traceback"
    return (
        None
        if sentence.isprintable()
        else f"it contains characters that no line shows: {sentence!r}"
    )


def check_sentence(sentence: str) -> None:
    """Fail if something is wrong with a message."""
    found = flaw(sentence)
    assert found is None, f"{found}: {sentence!r}"
