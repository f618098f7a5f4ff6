"""Recognizes the format of a record's value: removes frames around JSON, names other formats."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"


@dataclass(frozen=True)
class Frame:
    """Bytes that a serializer writes before the payload.

    Args:
        magic: The bytes that the frame starts with.
        size: Length of the frame in bytes.
        name: What it is called in a message.
    """

    magic: bytes
    size: int
    name: str


FRAMES = (
    Frame(b"\x00", 5, "the 5-byte frame of a schema registry (Confluent)"),
    Frame(b"\x00", 9, "the 9-byte frame of a schema registry (Apicurio)"),
    Frame(b"\x01", 17, "the 17-byte frame of a schema registry (Confluent, schema by GUID)"),
    Frame(b"\x03\x00", 18, "the 18-byte frame of a schema registry (AWS Glue)"),
)
UNCOMPRESS = "send it uncompressed, because Kafka compresses records itself (compression.type)"
COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x82SNAPPY", "snappy"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive; send JSON"),
    (b"\xac\xed\x00\x05", "a serialized Java object; use a JSON serializer"),
    (b"Obj\x01", "an Avro file; use a JSON serializer"),
    (b"\xc3\x01", "Avro (single-object encoding); use a JSON serializer"),
    (b"PAR1", "a Parquet file; send JSON"),
    (b":)\n", "Smile (binary JSON); send JSON as text"),
)
MESSAGEPACK_MAPS = ((0x80, 0x8F), (0xDE, 0xDF))
"""Ranges of the first byte of a map in MessagePack."""
CBOR_MAPS = (0xA0, 0xBF)
WIDE_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"{\x00\x00\x00", "UTF-32"),
    (b"\x00\x00\x00{", "UTF-32"),
    (b"{\x00", "UTF-16"),
    (b"\x00{", "UTF-16"),
)
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")


def find_payloads(value: bytes) -> Iterator[bytes]:
    """Return the candidates for the JSON text of a value.

    Args:
        value: The record's value as it was sent.

    Yields:
        The value without a byte-order mark, then the value without each frame it may have.
    """
    yield value.removeprefix(BOM)
    for frame in FRAMES:
        body = value[frame.size :].removeprefix(BOM)
        if value.startswith(frame.magic) and body.lstrip(SPACE)[:1] in {b"{", b"["}:
            yield body


def recognize_format(value: bytes) -> str | None:
    """Return the format of a value that is not JSON and what to do, or None if it is unknown.

    Args:
        value: The record's value as it was sent, not empty.
    """
    for mark, name in WIDE_ENCODINGS:
        if value.startswith(mark):
            return f"text in {name}; send UTF-8"
    for signature, name in COMPRESSED:
        if value.startswith(signature):
            return f"{name} data; {UNCOMPRESS}"
    for signature, name in SIGNATURES:
        if value.startswith(signature):
            return name
    return next(guess_binary(value), None) or next(guess_text(value), None)


def guess_binary(value: bytes) -> Iterator[str]:
    """Return the binary formats without a signature that a value may have, most likely first."""
    first = value[0]
    if first == 0x78 and len(value) > 6 and value[1] in {0x01, 0x5E, 0x9C, 0xDA}:
        yield f"zlib data; {UNCOMPRESS}"
    if first == 0x80 and len(value) > 1 and 2 <= value[1] <= 5:
        yield "a Python pickle; send JSON"
    if len(value) > 4 and int.from_bytes(value[:4], "little") == len(value) and value[-1] == 0:
        yield "BSON; send JSON as text"
    for frame in FRAMES:
        if value.startswith(frame.magic) and len(value) >= frame.size:
            yield (
                f"{frame.name}, and the payload is not JSON: probably Avro or Protobuf; "
                "use the registry's JSON serializer"
            )
    if any(low <= first <= high for low, high in MESSAGEPACK_MAPS):
        yield "MessagePack; send JSON as text"
    if CBOR_MAPS[0] <= first <= CBOR_MAPS[1]:
        yield "CBOR; send JSON as text"


def guess_text(value: bytes) -> Iterator[str]:
    """Return the text formats that a value may have, most likely first."""
    try:
        text = value.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        yield "binary data, or text that is not UTF-8; send JSON in UTF-8"
        return
    if any(ord(character) < 32 and character not in "\t\r\n" for character in text):
        yield "binary data, such as Protobuf or Avro; send JSON in UTF-8"
    if text.startswith("<"):
        yield "XML or HTML; send JSON"
    if text.startswith("{'"):
        yield "a Python dictionary or JSON with single quotes; JSON needs double quotes"
    if BASE64.fullmatch(text.encode()) and contains_json(text):
        yield "JSON in base64; send it without base64"
    if re.match(r"(---|[A-Za-z_][\w-]*:\s)", text):
        yield "YAML; send JSON"
    if re.match(r"[A-Za-z_][\w-]*=", text):
        yield "a form or key=value pairs; send JSON"


def contains_json(text: str) -> bool:
    """Return whether a text is the base64 form of a JSON object or array."""
    padded = text.rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        decoded = base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_"))
    except (binascii.Error, ValueError):
        return False
    return decoded.lstrip(SPACE)[:1] in {b"{", b"["}
