"""The base of all parts of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class SettingsError(Exception):
    """A setting is missing or wrong. The text names it."""


class Section(BaseModel):
    """A part of the settings. Its fields are written in camel case, as in `values.yaml`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )
