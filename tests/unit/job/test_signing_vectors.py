"""Signatures follow their specification, and are about one purpose, model and name."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from retraining_job.registry.signing import (
    SUFFIX_BYTES,
    NotSignedError,
    Purpose,
    SigningKeys,
    Subject,
    check_signature,
    compute_signature,
    sign_document,
    strip_signature,
)
from retraining_job.settings import DecideSettings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "signatures.md"
BLOCK = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
KEY, FORMER = SecretStr("a key that is long enough"), SecretStr("a former key, long enough")
SUBJECT = Subject(Purpose.MANIFEST, "active_model", "7")
DOCUMENT = '{"version":7,"note":"José"}'


def read_vectors() -> list[dict[str, str]]:
    block = BLOCK.search(PAGE.read_text())
    assert block
    vectors: list[dict[str, str]] = json.loads(block[1])
    return vectors


@pytest.mark.parametrize("vector", read_vectors(), ids=lambda vector: vector["about"])
def test_vectors_of_the_specification_are_those_of_the_code(vector: dict[str, str]) -> None:
    subject = Subject(Purpose(vector["purpose"]), vector["model_key"], vector["name"])
    key, payload = SecretStr(vector["key"]), vector["payload"]
    assert compute_signature(key, subject, payload.encode()) == vector["signature"]
    signed = sign_document(SigningKeys(key), subject, payload + "}")
    assert signed == f'{payload},"signature":"{vector["signature"]}"}}'


@pytest.mark.parametrize("vector", read_vectors(), ids=lambda vector: vector["about"])
def test_specification_can_be_followed_without_the_code(vector: dict[str, str]) -> None:
    lines = "retraining-signature 2", vector["purpose"], vector["model_key"], vector["name"]
    text = "".join(f"{line}\n" for line in lines) + vector["payload"]
    digest = hmac.new(vector["key"].encode(), text.encode(), hashlib.sha256).hexdigest()
    assert digest == vector["signature"]


def test_keys_come_from_the_settings() -> None:
    registry = DecideSettings(
        DATABASE_URL="none",
        REDIS_URL="redis://none",
        SIGNING_KEY=KEY,
        SIGNING_KEY_PREVIOUS=FORMER,
        run_id="run-9",
        approval="approve",
    ).registry
    assert SigningKeys.of(registry) == SigningKeys(KEY, FORMER)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (SigningKeys(KEY), "the key of signing.existingSecret (SIGNING_KEY)"),
        (
            SigningKeys(KEY, FORMER),
            "the key of signing.existingSecret (SIGNING_KEY) or of signing.previousSecretKey "
            "(SIGNING_KEY_PREVIOUS)",
        ),
    ],
)
def test_message_names_the_settings_of_the_keys_that_were_tried(
    keys: SigningKeys, named: str
) -> None:
    other = sign_document(SigningKeys(SecretStr("some other key, long")), SUBJECT, DOCUMENT)
    with pytest.raises(NotSignedError) as refused:
        check_signature(keys, SUBJECT, other.encode())
    assert str(refused.value).endswith(f" and {named}")


def test_every_purpose_has_a_vector() -> None:
    assert {vector["purpose"] for vector in read_vectors()} == set(Purpose)


def test_signed_document_is_json_that_readers_can_use_without_the_signature() -> None:
    signed = sign_document(SigningKeys(KEY), SUBJECT, DOCUMENT)
    fields = json.loads(signed)
    signature = fields.pop("signature")
    assert fields == json.loads(DOCUMENT)
    assert re.fullmatch("[0-9a-f]{64}", signature)
    assert strip_signature(signed.encode()).decode() == DOCUMENT
    check_signature(SigningKeys(KEY), SUBJECT, signed.encode())


def test_nothing_is_signed_or_checked_without_a_key() -> None:
    assert sign_document(SigningKeys(), SUBJECT, DOCUMENT) == DOCUMENT
    check_signature(SigningKeys(), SUBJECT, None)
    check_signature(SigningKeys(), SUBJECT, b"anything")


@pytest.mark.parametrize(
    "other",
    [
        Subject(Purpose.RUN, "active_model", "7"),
        Subject(Purpose.CHALLENGER, "active_model", "7"),
        Subject(Purpose.MANIFEST, "another_model", "7"),
        Subject(Purpose.MANIFEST, "active_model", "70"),
        Subject(Purpose.MANIFEST, "active_mode", "l\n7"),
    ],
)
def test_signature_is_about_one_purpose_model_and_name(other: Subject) -> None:
    signed = sign_document(SigningKeys(KEY), SUBJECT, DOCUMENT).encode()
    with pytest.raises(NotSignedError, match="does not match"):
        check_signature(SigningKeys(KEY), other, signed)


def forge(position: int, value: int) -> bytes:
    """Return the signed document with one byte changed."""
    signed = bytearray(sign_document(SigningKeys(KEY), SUBJECT, DOCUMENT).encode())
    signed[position] ^= value
    return bytes(signed)


@pytest.mark.parametrize("position", range(len(DOCUMENT.encode()) - 1 + SUFFIX_BYTES))
def test_each_byte_is_signed(position: int) -> None:
    with pytest.raises(NotSignedError):
        check_signature(SigningKeys(KEY), SUBJECT, forge(position, 1))


@pytest.mark.parametrize(
    "document",
    [None, b"", b"{}", DOCUMENT.encode(), b'{"signature":"' + b"0" * 64 + b'"}', b"\xff" * 200],
)
def test_document_without_a_signature_is_refused(document: bytes | None) -> None:
    with pytest.raises(NotSignedError, match=r"it is not signed, and signing\.existingSecret"):
        check_signature(SigningKeys(KEY), SUBJECT, document)


@pytest.mark.parametrize(
    "change", [bytes.upper, lambda text: text + b" ", lambda text: b" " + text]
)
def test_other_forms_of_the_same_json_are_refused(change: Any) -> None:
    signed = sign_document(SigningKeys(KEY), SUBJECT, DOCUMENT).encode()
    with pytest.raises(NotSignedError):
        check_signature(SigningKeys(KEY), SUBJECT, change(signed))


def test_previous_key_is_accepted_and_the_present_one_signs() -> None:
    before, both = SigningKeys(FORMER), SigningKeys(KEY, FORMER)
    old = sign_document(before, SUBJECT, DOCUMENT).encode()
    check_signature(both, SUBJECT, old)
    new = sign_document(both, SUBJECT, DOCUMENT).encode()
    check_signature(SigningKeys(KEY), SUBJECT, new)
    with pytest.raises(NotSignedError, match=r"the key of signing\.existingSecret"):
        check_signature(SigningKeys(KEY), SUBJECT, old)
    third = SigningKeys(SecretStr("a third key, long enough"))
    with pytest.raises(NotSignedError, match=r"or of signing\.previousSecretKey"):
        check_signature(both, SUBJECT, sign_document(third, SUBJECT, DOCUMENT).encode())


def test_keys_are_in_no_message() -> None:
    both = SigningKeys(KEY, FORMER)
    with pytest.raises(NotSignedError) as caught:
        check_signature(both, SUBJECT, forge(1, 1))
    text = f"{caught.value} {both}"
    assert KEY.get_secret_value() not in text
    assert FORMER.get_secret_value() not in text
