"""The end of a log is short and has no secrets."""

import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from retraining_operator.audit.log_tail import (
    KEYS,
    MASK,
    READ_LIMIT_BYTES,
    TAIL_LIMIT_BYTES,
    extract_tail,
    mask_secrets,
)

WORD = st.text(string.ascii_letters + string.digits, min_size=6, max_size=20)
PASSWORD = st.text(
    string.ascii_letters + string.digits + "!#$%&*+,-.:;=?@^_~/", min_size=6, max_size=40
)
KEY = st.sampled_from(
    [
        "password",
        "PGPASSWORD",
        "db_passwd",
        "pwd",
        "client_secret",
        "api_key",
        "access-token",
        "Token",
    ]
)
SIGN = st.sampled_from(["=", ": ", " = ", '": "', "='", '="'])


@given(password=PASSWORD, user=WORD, scheme=st.sampled_from(["postgresql", "redis", "amqp+ssl"]))
@example(password="p@ss/word", user="app", scheme="postgresql")  # noqa: S106  # nobody's
def test_password_in_a_url_is_masked_and_the_rest_can_be_read(
    password: str, user: str, scheme: str
) -> None:
    # After a user such as "token", the rest of the URL is masked as well.
    assume(not re.search(KEYS, user, re.IGNORECASE))
    text = mask_secrets(f"Cannot reach {scheme}://{user}:{password}@database:5432/fraud now")
    assert text.startswith(f"Cannot reach {scheme}://{user}:{MASK}@")
    assert text.endswith("database:5432/fraud now")


@given(password=PASSWORD.filter(lambda text: text[0] not in "=:"), key=KEY, sign=SIGN)
def test_value_of_a_key_with_a_secret_is_masked(password: str, key: str, sign: str) -> None:
    text = mask_secrets(f"It failed with {key}{sign}{password}")
    assert text.startswith("It failed with ")
    assert password not in text
    assert MASK in text


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Bearer abcdefgh12345678",
        "-----BEGIN PRIVATE KEY-----\nMIIabc\nxyz\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc",
    ],
)
def test_what_looks_like_a_credential_is_masked(secret: str) -> None:
    text = mask_secrets(f"before {secret}")
    assert text.startswith("before ")
    assert secret.rsplit(maxsplit=1)[-1] not in text


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-01T12:00:00Z Read 50,000 events from scored_events (2026-01-01 to 2026-02-28)"
        " in 1.52 s.",
        "The digest is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.",
        "Run 2f1e7c1e-8b4f-4a3c-9a52-0d8e4a2c7f11 of fraud/retraining-triggers-0-17-a1b2c3d4"
        " promoted version 4.",
        '  File "/opt/retraining/retraining_job/audit.py", line 12, in record',
        "Connecting to postgresql://database:5432/fraud as the user app.",
    ],
)
def test_log_lines_of_a_trainer_are_not_masked(line: str) -> None:
    assert mask_secrets(line) == line


PIECES = [
    "://",
    "user",
    ":",
    "@",
    "password",
    "=",
    '"',
    "'",
    " ",
    "\n",
    "Bearer ",
    "a1B2" * 9,
    "-----BEGIN PRIVATE KEY-----",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_masking_again_changes_nothing(text: str) -> None:
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)


@given(text=st.text(), lines=st.integers(0, 5))
def test_tail_has_few_lines_and_nothing_that_a_database_refuses(text: str, lines: int) -> None:
    tail = extract_tail(text, lines)
    assert len(tail.splitlines()) <= lines
    assert "\0" not in tail
    tail.encode()


def test_last_lines_are_extracted() -> None:
    assert extract_tail("a\nb\nc\n", 2) == "b\nc"
    assert extract_tail("a\nb\nc\n", 0) == ""


def test_tail_is_bounded_and_begins_with_a_whole_line() -> None:
    tail = extract_tail("".join(f"line {number} {'x' * 600}\n" for number in range(1000)), 1000)
    assert 0.9 * TAIL_LIMIT_BYTES < len(tail.encode()) <= TAIL_LIMIT_BYTES
    assert tail.startswith("line ")
    assert tail.splitlines()[-1].startswith("line 999 ")


def test_line_without_its_beginning_is_removed() -> None:
    def block(filler: int) -> str:
        return f"\n-----BEGIN PRIVATE KEY-----\n{'A' * filler}\n-----END PRIVATE KEY-----\nThe end."

    cut_within_the_password = block(READ_LIMIT_BYTES - len(block(0)) - 10)
    assert extract_tail("password=" + "w" * 40 + cut_within_the_password, 5) == f"{MASK}\nThe end."
    assert extract_tail("x" * 200_000, 5) == ""
