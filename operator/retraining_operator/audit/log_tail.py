"""The end of a trainer's log, as the status and the database store it: short and without secrets.

The trainer masks what it logs. This is a second line of defence, for messages of libraries and for
what the trainer misses. In doubt it masks too much.
"""

from __future__ import annotations

import re

from retraining_operator.contract import to_lines

READ_LIMIT_BYTES = 65_536
"""How much of the end of a log is read: enough for all lines that are stored."""
TAIL_LIMIT_BYTES = 16_384
"""How much is stored. A status is read by people, and etcd accepts 1.5 MB per object."""
MASK = "***"
PASSES = 5

KEYS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?"
    r"|(?:api|access|private|signing)[ _-]?key|authorization"
)
VALUE = (
    r"""(?:"(?:\\.|[^"\\\n]){0,512}"?|'(?:\\.|[^'\\\n]){0,512}'?"""
    r"""|(?:(?:bearer|basic)\s+)?[^\s"']\S{0,512})"""
)
BLOCK = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
LOGIN = re.compile(r"://([^\s:/@]{0,256}):\S{1,512}@|://[^\s:/@]{1,256}@")
ASSIGNMENT = re.compile(
    rf"({KEYS})([\w.-]{{0,40}}[\"']?\s{{0,3}}[=:]\s{{0,3}}){VALUE}", re.IGNORECASE
)
BEARER = re.compile(r"\b(bearer|basic)\s+[\w.+/=~-]{8,}", re.IGNORECASE)
TOKEN = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|xox[a-z]-[\w-]{10,}|sk-[\w-]{20,}|eyJ[\w.-]{20,})"
)
RUN = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
"""Long enough for a key in base64. The digests that the trainer logs are all lower case."""


def extract_tail(text: str, lines: int) -> str:
    """Extract the last lines of a log, without secrets.

    A line without its beginning is left out, because the missing part may be what marks a secret.

    Args:
        text: The end of the log.
        lines: The maximum number of lines.

    Returns:
        At most TAIL_LIMIT_BYTES of UTF-8.
    """
    if lines <= 0:
        return ""
    content = text.encode(errors="replace")
    end = content[-READ_LIMIT_BYTES:]
    if len(end) < len(content):
        end = end.partition(b"\n")[2]
    masked = mask_secrets(to_lines(end.decode(errors="ignore")))
    kept = masked.split("\n")[-lines:]
    while len("\n".join(kept).encode()) > TAIL_LIMIT_BYTES:
        kept = kept[1:]
    return "\n".join(kept)


def mask_secrets(text: str) -> str:
    """Mask what looks like a password, a key or a token.

    Several passes are needed, because the result of one may match again: `password:""://`.
    """
    for _ in range(PASSES):
        before, text = text, mask_secrets_once(text)
        if text == before:
            break
    return text


def mask_secrets_once(text: str) -> str:
    """Mask what looks like a password, a key or a token, in one pass."""
    text = BLOCK.sub(MASK, text)
    text = LOGIN.sub(
        lambda match: f"://{match[1]}:{MASK}@" if match[1] is not None else f"://{MASK}@", text
    )
    text = ASSIGNMENT.sub(rf"\1\2{MASK}", text)
    text = BEARER.sub(rf"\1 {MASK}", text)
    text = TOKEN.sub(MASK, text)
    return RUN.sub(lambda match: MASK if is_like_key(match[0]) else match[0], text)


def is_like_key(text: str) -> bool:
    """Return whether a text has upper case, lower case and digits, as keys have."""
    return bool(re.search("[A-Z]", text) and re.search("[a-z]", text) and re.search("[0-9]", text))
