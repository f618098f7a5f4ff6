"""The value of a record is parsed as a trigger, or it is malformed in one of several ways."""

import base64
import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.trigger import (
    RECORD_LIMIT_BYTES,
    KafkaPosition,
    Malformed,
    MalformedRecordError,
    Trigger,
)
from retraining_operator.intake.record_parser import parse_trigger

POSITION = KafkaPosition("retraining-triggers", 2, 17, 1_750_000_000_123)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(
            b'{"reason": "drift_detected", "drift_score": 0.31}',
            "drift_detected",
            id="reason beside other fields",
        ),
        pytest.param(b"{}", "unknown", id="no reason is unknown"),
        pytest.param(b'{"reason": null}', "unknown", id="a null reason is unknown"),
        pytest.param(b'{"reason": ""}', "unknown", id="an empty reason is unknown"),
        pytest.param('{"reason": "Überdrift ✓"}'.encode(), "Überdrift ✓", id="any language"),
        pytest.param(b'{"reason": "' + b"x" * 1000 + b'"}', "x" * 1000, id="the longest reason"),
    ],
)
def test_trigger_keeps_reason_and_record(value: bytes, reason: str) -> None:
    assert parse_trigger(POSITION, value) == Trigger(POSITION, reason, value.decode())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(None, Malformed.EMPTY, id="a tombstone"),
        pytest.param(b"", Malformed.EMPTY, id="no bytes"),
        pytest.param(b" \n", Malformed.EMPTY, id="white space"),
        pytest.param(b"drift!", Malformed.NOT_JSON, id="plain text"),
        pytest.param(b"\xff\xfe{}", Malformed.NOT_JSON, id="not UTF-8"),
        pytest.param(b'{"reason": "dr', Malformed.NOT_JSON, id="cut off"),
        pytest.param(b"[" * 50_000, Malformed.NOT_JSON, id="nested too deep to parse"),
        pytest.param(
            b'{"n": ' + b"9" * 5_000 + b"}", Malformed.NOT_JSON, id="a number of 5,000 digits"
        ),
        pytest.param(b"[1, 2]", Malformed.NOT_OBJECT, id="an array"),
        pytest.param(b'"drift"', Malformed.NOT_OBJECT, id="a string"),
        pytest.param(b"null", Malformed.NOT_OBJECT, id="null"),
        pytest.param(b"x" * 1_000_000, Malformed.TOO_LARGE, id="1 MB of text"),
        pytest.param(
            b'{"a": "' + b"x" * RECORD_LIMIT_BYTES + b'"}',
            Malformed.TOO_LARGE,
            id="an object over the limit",
        ),
        pytest.param(
            b'{"reason": "' + b"x" * 10_000 + b'"}',
            Malformed.REASON_TOO_LONG,
            id="a reason of 10,000",
        ),
        pytest.param(b'{"reason": 7}', Malformed.BAD_REASON, id="a number as reason"),
        pytest.param(b'{"reason": ["a"]}', Malformed.BAD_REASON, id="a list as reason"),
        pytest.param(
            rb'{"reason": "a\u0000b"}',
            Malformed.BAD_REASON,
            id="a NUL, which PostgreSQL cannot store",
        ),
        pytest.param(rb'{"reason": "\ud800"}', Malformed.BAD_REASON, id="half a surrogate pair"),
    ],
)
def test_malformed_record_has_its_kind(value: bytes | None, kind: Malformed) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        parse_trigger(POSITION, value)
    assert caught.value.kind == kind


JSON = b'{"reason": "drift"}'


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\0\0\0\0\x05" + JSON, id="a schema registry's frame"),
        pytest.param(b"\0" + b"\0" * 7 + b"\x05" + JSON, id="the longer frame of another registry"),
        pytest.param(b"\x01" + b"g" * 16 + JSON, id="a schema by GUID"),
        pytest.param(b"\x03\0" + b"g" * 16 + JSON, id="a frame of AWS Glue"),
        pytest.param(b"\xef\xbb\xbf" + JSON, id="a byte-order mark"),
        pytest.param(b"\0\0\0\0\x05\xef\xbb\xbf" + JSON, id="a frame and a byte-order mark"),
    ],
)
def test_json_behind_a_frame_is_read_without_it(value: bytes) -> None:
    assert parse_trigger(POSITION, value) == Trigger(POSITION, "drift", JSON.decode())


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (JSON.decode().encode("utf-16"), "UTF-16"),
        (JSON.decode().encode("utf-16-be"), "UTF-16"),
        (JSON.decode().encode("utf-32"), "UTF-32"),
        (gzip.compress(JSON, mtime=0), "gzip"),
        (zlib.compress(JSON), "zlib"),
        (base64.b64encode(JSON), "base64"),
        (b"\0\0\0\0\x05\x06drift", "schema registry"),
        (b"\xac\xed\x00\x05t\x00\x05drift", "Java"),
        (b"\x81\xa6reason\xa5drift", "MessagePack"),
        (b"\xa1freasonedrift", "CBOR"),
        (b"\x0a\x05drift", "Protobuf"),
        (b"Obj\x01\x04", "Avro"),
        (b"<reason>drift</reason>", "XML"),
        (b"reason: drift", "YAML"),
        (b"reason=drift", "key=value"),
        (b"{'reason': 'drift'}", "single quotes"),
        (b'"{\\"reason\\": \\"drift\\"}"', "encoded twice"),
    ],
)
def test_formats_other_than_json_are_named(value: bytes, named: str) -> None:
    with pytest.raises(MalformedRecordError, match=named):
        parse_trigger(POSITION, value)


@given(
    st.one_of(
        st.none(),
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")),
    )
)
def test_any_value_is_a_trigger_or_malformed(value: bytes | None) -> None:
    with contextlib.suppress(MalformedRecordError):
        parse_trigger(POSITION, value).reason.encode()


def test_position_writes_its_timestamp_as_kubernetes_does() -> None:
    assert POSITION.timestamp == "2025-06-15T15:06:40.123Z"


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(-1, "1970-01-01T00:00:00.000Z"), (2**63 - 1, "9999-12-31T23:59:59.999Z")],
)
def test_timestamp_beyond_the_calendar_is_cut_to_it(milliseconds: int, written: str) -> None:
    assert KafkaPosition("drift", 0, 1, milliseconds).timestamp == written
