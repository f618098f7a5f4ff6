"""State of a model: it rebuilds exactly the model, and nothing from damaged text."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.events.features import Features
from retraining_job.model import state_schema
from retraining_job.model.array_forest import ArrayForest, build_matrix
from retraining_job.model.model import Model, UnreadableModelError, are_identical
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from retraining_job.model.scaling import FeatureScaling, build_unscale
from retraining_job.model.state import compute_fingerprint, read_state, write_state
from retraining_job.model.tree_growth import ForestParameters
from tests.unit.job.forests import EVENTS, NAMES, PARAMETERS_STRATEGY, WITH_GAPS, train_river

PARAMETERS: ForestParameters = {"n_trees": 3, "height": 4, "window_size": 10, "seed": 42}
SOME = [{name: (i * place % 7) / 7 for place, name in enumerate(NAMES, 1)} for i in range(45)]
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALINGS = [
    FeatureScaling("amount", "log", 0.1, 91234.56789, 17.3, 0.1 + 0.2),
    FeatureScaling("hour", "linear", -1 / 3, 23.0),
    FeatureScaling("risk", "none", 0.0, 1.0),
    FeatureScaling("zeta", "linear", 1e-300, 1e300),
]


def model(
    events: list[Features] = SOME, scalings: list[FeatureScaling] | None = None, **parameters: int
) -> Model:
    unscale = build_unscale(scalings) if scalings else None
    changed: Any = PARAMETERS | parameters
    forest = ArrayForest.grow(NAMES, **changed, unscale=unscale)
    forest.learn_many(build_matrix(events, NAMES))
    sad = StandardAbsoluteDeviation("amount")
    sad.learn_values([0.1, 0.2, 0.7])
    return Model(forest, sad)


def text(**changes: Any) -> str:
    """Return a state with some fields changed."""
    return json.dumps(json.loads(write_state(model()) or "") | changes)


def packed(rows: list[list[int]]) -> str:
    return base64.b64encode(zlib.compress(np.array(rows, "<u4").tobytes())).decode()


@settings(deadline=None)
@given(
    events=EVENTS,
    parameters=PARAMETERS_STRATEGY,
    more=st.lists(WITH_GAPS, max_size=15),
    scaled=st.booleans(),
)
def test_model_is_rebuilt_exactly(
    events: list[Features], parameters: ForestParameters, more: list[Features], scaled: bool
) -> None:
    scalings = SCALINGS if scaled else []
    before = model(events, scalings, **parameters)  # type: ignore[arg-type]
    after = read_state(write_state(before, scalings) or "")
    assert are_identical(after, before)
    assert write_pickle(after, DEFAULT_DEVIATION_CLASS) == write_pickle(
        before, DEFAULT_DEVIATION_CLASS
    )
    rows = build_matrix([*events, *more], NAMES)
    for one in (before, after):
        one.hst.learn_many(rows)  # type: ignore[union-attr]
    assert are_identical(after, before)


@given(mean=FINITE, squares=FINITE.map(abs), count=st.integers(0, 2**60), low=FINITE, high=FINITE)
@example(
    mean=5e-324, squares=1.7976931348623157e308, count=0, low=-0.0, high=2.2250738585072011e-308
)
def test_numbers_are_unchanged_to_the_last_bit(
    mean: float, squares: float, count: int, low: float, high: float
) -> None:
    before = model()
    before.sad.mean, before.sad.squares, before.sad.count = mean, squares, count
    scalings = [FeatureScaling(name, "log", low, high, mean, squares) for name in NAMES]
    written = write_state(before, scalings) or ""
    read = state_schema.parse_state(written)
    assert repr(read.scalings) == repr(scalings)
    assert repr((read.sad.mean, read.sad.squares, read.sad.count)) == repr((mean, squares, count))


def test_state_is_small_and_holds_no_pickle() -> None:
    generator = np.random.default_rng(1)
    forest = ArrayForest.grow(NAMES, n_trees=25, height=10, window_size=250, seed=42)
    forest.learn_many(generator.random((1_100, len(NAMES))))
    assert len(write_state(Model(forest, StandardAbsoluteDeviation())) or "") < 40_000


def test_fingerprint_identifies_the_model() -> None:
    own = compute_fingerprint(text())
    assert own == compute_fingerprint(text()) == compute_fingerprint(text(river="0.26.99"))
    assert len(own) == 64
    repacked = base64.b64encode(
        zlib.compress(zlib.decompress(base64.b64decode(json.loads(text())["leaves"])), 0)
    )
    assert own == compute_fingerprint(text(leaves=repacked.decode()))  # another zlib
    for other in (
        text(seed=43),
        text(sad=json.loads(text())["sad"] | {"count": 4}),
        write_state(model(SOME[1:])) or "",
        write_state(model(scalings=SCALINGS), SCALINGS) or "",
    ):
        assert compute_fingerprint(other) != own


def test_plain_rivers_forest_has_no_state() -> None:
    assert write_state(Model(train_river(SOME, **PARAMETERS), StandardAbsoluteDeviation())) is None


def test_model_beyond_the_limits_has_no_state_and_logs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    forest = ArrayForest.grow(["a\ud800"], **PARAMETERS)
    assert write_state(Model(forest, StandardAbsoluteDeviation())) is None
    assert "from its pickle only, because names.0" in caplog.text


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"format": 2}, "format: input should be 1", id="another format"),
        pytest.param(
            {"river": "0.25.1"},
            r"written with river 0\.25\.1, and this trainer has river",
            id="other river",
        ),
        pytest.param({"river": "no"}, "river: ", id="no release"),
        pytest.param({"seed": -1}, "seed: ", id="a negative seed"),
        pytest.param({"seed": "42"}, "seed: ", id="a text for a number"),
        pytest.param({"n_trees": 0}, "n_trees: ", id="no trees"),
        pytest.param(
            {"n_trees": 1000, "height": 20}, "more than 16,777,216 nodes", id="too large a forest"
        ),
        pytest.param({"height": 10**9}, "height: ", id="a bomb"),
        pytest.param({"names": []}, "names: ", id="no features"),
        pytest.param(
            {"names": NAMES[::-1]}, "names are not sorted", id="features in another order"
        ),
        pytest.param(
            {"names": ["a", "a"]},
            "names are not sorted, or contain duplicates",
            id="a feature twice",
        ),
        pytest.param({"counter": 10}, "counter is not below its window size", id="a full window"),
        pytest.param({"counter": 4}, "do not add up", id="an event too few"),
        pytest.param({"first_window": True}, "do not add up", id="masses of a window that was not"),
        pytest.param({"first_window": 0}, "first_window: ", id="a number for a truth"),
        pytest.param(
            {"names": sorted(map(str, range(10_000))), "n_trees": 1, "height": 20, "scalings": []},
            "1 trees of height 20 are too large for 10,000 features",
            id="features times nodes of one tree",
        ),
        pytest.param(
            {"names": sorted(map(str, range(9_999))), "n_trees": 1_000, "height": 10},
            "1000 trees of height 10 are too large for 9,999 features",
            id="features times nodes of all trees",
        ),
        pytest.param(
            {"sad": {"feature": "amount", "count": 10**400, "mean": 0.0, "squares": 1.0}},
            r"sad\.count: ",
            id="a count that is no float",
        ),
        pytest.param(
            {"leaves": packed([[1] * 3 * 21] * 3), "height": 8},
            "more than its trees have leaves",
            id="more leaves than events",
        ),
        pytest.param({"seed": float("nan")}, "seed: ", id="not a number"),
        pytest.param({"more": 1}, "more: ", id="a field too many"),
        pytest.param({"scalings": [1]}, r"scalings\.0: ", id="no scaling"),
        pytest.param(
            {"scalings": [{"name": "amount", "kind": "linear", "low": 0.0, "high": 1.0}]},
            "do not match its names",
            id="scalings too few",
        ),
        pytest.param(
            {
                "scalings": [
                    {"name": n, "kind": "linear", "low": 0.0, "high": float("inf")} for n in NAMES
                ]
            },
            r"scalings\.0\.high: input should be a finite",
            id="endless scalings",
        ),
        pytest.param(
            {
                "scalings": [
                    {"name": n, "kind": "log", "low": 0.0, "high": 1.0, "unit": 0.0} for n in NAMES
                ]
            },
            "are not finite",
            id="scalings by nothing",
        ),
        pytest.param({"sad": {}}, r"sad\.feature: ", id="no deviation"),
        pytest.param(
            {"sad": {"feature": "amount", "count": 3, "mean": float("inf"), "squares": 0.0}},
            r"sad\.mean: ",
            id="an endless mean",
        ),
        pytest.param({"leaves": "?"}, "cannot be decompressed", id="no base64"),
        pytest.param({"leaves": "AAAA"}, "cannot be decompressed", id="no zlib"),
        pytest.param({"leaves": packed([[1], [1]])}, "are incomplete", id="two rows"),
        pytest.param(
            {"leaves": packed([[0] * 49] * 3)},
            "more than its trees have leaves",
            id="too many leaves",
        ),
        pytest.param(
            {"leaves": packed([[47, 1], [1, 1], [1, 1]])},
            "impossible in such a forest",
            id="a leaf beyond the last",
        ),
        pytest.param(
            {"leaves": packed([[2, 0], [1, 1], [1, 1]])},
            "impossible in such a forest",
            id="a leaf twice",
        ),
        pytest.param(
            {"leaves": packed([[0], [2**32 - 1], [0]])},
            "impossible in such a forest",
            id="more events than a window",
        ),
        pytest.param({"leaves": packed([[], [], []])}, "do not add up", id="no leaves"),
    ],
)
def test_forged_state_is_refused_with_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnreadableModelError, match=problem):
        read_state(text(**changes))


def test_decompression_bomb_is_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    with pytest.raises(UnreadableModelError, match="more than its trees have leaves"):
        read_state(text(leaves=bomb))


def test_long_text_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_schema, "TEXT_LIMIT", 100)
    with pytest.raises(UnreadableModelError, match="at most 100 are read"):
        read_state(text())


@pytest.mark.parametrize(
    "wrong", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format":1}', b"\x80\x04."]
)
def test_value_that_is_no_state_is_refused(wrong: bytes) -> None:
    with pytest.raises(
        UnreadableModelError, match="its state is damaged or has an unknown format: "
    ):
        read_state(wrong)


@settings(deadline=None)
@given(data=st.data())
def test_damaged_state_is_refused_or_read_but_never_anything_else(data: st.DataObject) -> None:
    whole = text().encode()
    damaged = bytearray(whole)
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        damaged[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for candidate in (bytes(damaged), bytes(damaged[:cut])):
        try:
            read_state(candidate)
        except UnreadableModelError as error:
            assert str(error)  # noqa: PT017


def test_truncated_state_is_refused() -> None:
    whole = text()
    for length in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(UnreadableModelError):
            read_state(whole[:length])
