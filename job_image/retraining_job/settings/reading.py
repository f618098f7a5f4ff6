"""Reads the settings of a command, and describes what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from retraining_job.errors import BadConfigurationError
from retraining_job.settings.commands import RunSettings
from retraining_job.settings.names import get_full_name

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Settings = TypeVar("Settings", bound=RunSettings)


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """Read the settings from the environment.

    Args:
        kind: The settings to read.
        **given: Values that override the environment.

    Returns:
        The settings.

    Raises:
        BadConfigurationError: A setting is missing or wrong. The text has one sentence for each.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise BadConfigurationError(" ".join(map(describe_problem, details))) from None


def describe_problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one setting, without its value, which may be a secret."""
    field = str(detail["loc"][0])
    if detail["type"] == "missing":
        return f"The setting {get_full_name(field)} is missing."
    problem = detail["msg"]
    return f"The setting {get_full_name(field)} is wrong: {problem[0].lower()}{problem[1:]}."
