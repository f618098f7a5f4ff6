"""Hypothesis strategies for column types of PostgreSQL and for values of each type."""

from __future__ import annotations

import json

from hypothesis import strategies as st

DEFAULTS = {
    "timestamp": "timestamptz",
    "amount": "float8",
    "anomaly_score": "float8",
    "is_anomaly": "boolean",
    "anomaly_label": "integer",
    "amount_vs_user_avg": "float8",
    "features_json": "jsonb",
}
MUST_FIT = ("timestamp", "amount", "anomaly_label", "amount_vs_user_avg", "features_json")

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
WORDS = st.sampled_from(
    [
        "1",
        "0",
        "yes",
        "fraud",
        " 1.5 ",
        "1e999",
        "nan",
        "-inf",
        "1_000",
        "0x10",
        "1,5",
        "",
        "null",
        "t",
    ]
)
NUMBERS = st.one_of(
    st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "0", "-0", "1e308", "-1e-308", "1e1000", "9" * 400]
    ),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, max_value=10**9, min_value=-(10**9)
    ).map(str),
)
INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str)
TIMES = st.one_of(
    st.sampled_from(
        [
            "infinity",
            "-infinity",
            "epoch",
            "4713-01-01 BC",
            "0001-01-01",
            "0001-01-01 00:00 BC",
            "now",
            "9999-12-31 23:59:59.999999",
            "10000-01-01",
            "294276-12-31 23:59:59.999999",
            "5874897-12-31",
        ]
    ),
    st.builds(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}{}".format,
        st.integers(1, 300_000),
        st.integers(1, 12),
        st.integers(1, 28),
        st.integers(0, 24),
        st.integers(0, 59),
        st.integers(0, 60),
        st.integers(0, 999_999),
        st.sampled_from(["", " BC", "+15:59", "-12", " Europe/Berlin"]),
    ),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["amount", "hour", "risk", "x"]) | TEXTS, inner, max_size=4
        )
        | inner.map(json.dumps)
    ),
    max_leaves=6,
)
JSON_TEXTS = st.one_of(
    JSON.map(json.dumps),
    st.sampled_from(
        [
            '{"a": 1, "a": "2"}',
            '{"a\\u0000b": 1}',
            '{"\\ud800": 1}',
            '"\\ud800"',
            "[" * 60 + "]" * 60,
            '{"amount": 1e400}',
            '{"amount": ' + "9" * 5_000 + "}",
            '{"amount": -0}',
            '{"": 1}',
            '"{\\"amount\\": \\"7\\"}"',
            '{"amount": {"amount": 1}}',
        ]
    ),
)


def texts_of(*strategies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return a strategy of texts from several ones."""
    return st.one_of(*strategies)


KINDS = {
    "smallint": INTEGERS,
    "integer": INTEGERS,
    "bigint": INTEGERS,
    "numeric": NUMBERS,
    "numeric(6,2)": NUMBERS,
    "real": NUMBERS,
    "float8": NUMBERS,
    "money": NUMBERS,
    "boolean": st.sampled_from(["t", "f"]),
    "text": texts_of(TEXTS, WORDS, JSON_TEXTS),
    "varchar(20)": texts_of(TEXTS, WORDS),
    "char(8)": texts_of(TEXTS, WORDS),
    "name": texts_of(TEXTS, WORDS),
    '"char"': WORDS,
    "citext": texts_of(TEXTS, WORDS, JSON_TEXTS),
    "bytea": st.binary(max_size=8).map(lambda value: f"\\x{value.hex()}"),
    "uuid": st.uuids().map(str),
    "timestamptz": TIMES,
    "timestamp": TIMES,
    "timestamptz(0)": TIMES,
    "date": TIMES,
    "time": TIMES,
    "timetz": TIMES,
    "interval": st.sampled_from(["1 day", "-178000000 years", "1.5 s", "0"]),
    "json": JSON_TEXTS,
    "jsonb": JSON_TEXTS,
    "xml": st.sampled_from(["<a/>", "text", "<a>1</a>"]),
    "jsonpath": st.sampled_from(["$.a", "$[*]"]),
    "integer[]": st.sampled_from(["{}", "{1,NULL,3}", "{{1},{2}}"]),
    "text[]": st.sampled_from(['{"a,b",NULL}', "{}"]),
    "jsonb[]": st.sampled_from(["{}", '{"{}"}']),
    "timestamptz[]": st.sampled_from(["{infinity}"]),
    "int4range": st.sampled_from(["empty", "[1,5)", "(,)"]),
    "tstzrange": st.sampled_from(["[,)", "empty"]),
    "nummultirange": st.sampled_from(["{}", "{[1,2)}"]),
    "point": st.sampled_from(["(1,2)", "(NaN,Infinity)"]),
    "box": st.just("(1,1),(0,0)"),
    "circle": st.just("<(0,0),1>"),
    "line": st.just("{1,-1,0}"),
    "lseg": st.just("[(0,0),(1,1)]"),
    "path": st.just("[(0,0),(1,1)]"),
    "polygon": st.just("((0,0),(1,1))"),
    "inet": st.just("::1/64"),
    "cidr": st.just("10.0.0.0/8"),
    "macaddr": st.just("08:00:2b:01:02:03"),
    "bit(3)": st.sampled_from(["000", "101"]),
    "varbit": st.sampled_from(["", "1", "10"]),
    "tsvector": st.just("a fat cat"),
    "tsquery": st.just("fat & rat"),
    "oid": st.sampled_from(["0", "4294967295"]),
    "regclass": st.just("pg_class"),
    "pg_lsn": st.just("16/B374D848"),
    "pg_snapshot": st.just("10:20:10,14"),
    "mood": st.sampled_from(["1", "fraud", "legit"]),
    "pair": st.sampled_from(["(1,)", '(,"a")']),
    "short": st.sampled_from(["1", "yes"]),
    "positive": st.sampled_from(["1", "2.5"]),
    "documents": JSON_TEXTS,
    "hstore": st.just("a=>1"),
}
TYPES = """
    CREATE TYPE mood AS ENUM ('1', 'fraud', 'legit');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN short AS varchar(5);
    CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
    CREATE DOMAIN documents AS jsonb;
    CREATE EXTENSION hstore;
    CREATE EXTENSION citext;
"""


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], list[tuple[str, str | None]]]:
    """Draw the types of the columns, most of them the default ones, and unusual values."""
    changed = draw(st.lists(st.sampled_from(list(DEFAULTS)), min_size=1, max_size=2, unique=True))
    kinds = {
        name: draw(st.sampled_from(list(KINDS))) if draw(st.booleans()) else DEFAULTS[name]
        for name in changed
    }
    odd = [
        (name, draw(st.none() | KINDS[kind]))
        for name, kind in kinds.items()
        for _ in range(draw(st.integers(1, 4)))
    ]
    return {**DEFAULTS, **kinds}, odd
