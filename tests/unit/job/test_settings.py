"""The trainer's settings from the environment, and the message about a wrong one."""

import pytest
from pydantic import ValidationError

from retraining_job.contract import Tunables, environment_name
from retraining_job.errors import BadConfigurationError
from retraining_job.settings import MigrateSettings, TrainSettings, read_settings

SECRET = "correct-horse"  # noqa: S105
GOOD = {
    "DATABASE_URL": f"postgresql://user:{SECRET}@db:5432/events",
    "REDIS_URL": f"redis://:{SECRET}@redis:6379/0",
    "RETRAIN_RUN_ID": "0c1d",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for field in (*TrainSettings.model_fields, "termination_log"):
        monkeypatch.delenv(environment_name(field), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_defaults_apply_without_settings() -> None:
    settings = read_settings(TrainSettings)
    assert settings.model_dump(include=set(Tunables.model_fields)) == Tunables().model_dump()
    assert (settings.reason, settings.request) == ("unknown", "")


def test_every_tunable_comes_from_the_name_that_the_operator_writes(
    environment: pytest.MonkeyPatch,
) -> None:
    wanted = Tunables(
        events_table="fraud.events", rows=600, minimum_rows=10, hold_out_rows=20, threshold=0.85,
        forest_trees=3,
        forest_height=4, forest_window=5, forest_seed=6, database_retries=0,
        database_retry_delay_seconds=0.5,
        model_key="m", version_key="v", model_limit_mebibytes=2, deviation_class="a.B",
        deviation_feature="f",
        log_format="json",
    )  # fmt: skip
    for field, value in wanted.model_dump(mode="json").items():
        environment.setenv(environment_name(field), str(value))
    assert (
        read_settings(TrainSettings).model_dump(include=set(Tunables.model_fields))
        == wanted.model_dump()
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "RETRAIN_MINIMUM_ROWS",
            "many",
            "trainer.minimumRows (RETRAIN_MINIMUM_ROWS) is wrong: input should be a valid integer",
        ),
        (
            "RETRAIN_ROWS",
            "0",
            "trainer.rows (RETRAIN_ROWS) is wrong: input should be greater than or equal to 1.",
        ),
        ("RETRAIN_THRESHOLD", "1.5", "trainer.threshold (RETRAIN_THRESHOLD) is wrong"),
        ("RETRAIN_PRESET", "magic", "trainer.preset (RETRAIN_PRESET) is wrong"),
        (
            "RETRAIN_EVENTS_TABLE",
            'x"; DROP TABLE y',
            "trainer.eventsTable (RETRAIN_EVENTS_TABLE) is wrong",
        ),
        ("RETRAIN_RUN_ID", "", "RETRAIN_RUN_ID is wrong"),
        ("RETRAIN_RUN_ID", None, "RETRAIN_RUN_ID is missing."),
        ("DATABASE_URL", None, "database.url (DATABASE_URL) is missing."),
        ("DATABASE_URL", "", "database.url (DATABASE_URL) is wrong"),
        ("REDIS_URL", None, "redis.url (REDIS_URL) is missing."),
    ],
)
def test_message_about_a_wrong_setting_names_it(
    environment: pytest.MonkeyPatch, name: str, value: str | None, sentence: str
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(BadConfigurationError) as caught:
        read_settings(TrainSettings)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("The setting ")
    assert str(caught.value).endswith(".")


def test_all_wrong_settings_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RETRAIN_ROWS", "x")
    environment.delenv("REDIS_URL")
    with pytest.raises(BadConfigurationError, match=r"(?s)RETRAIN_ROWS.*REDIS_URL"):
        read_settings(TrainSettings)


def test_secrets_are_not_shown(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings(TrainSettings)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"
    environment.setenv("RETRAIN_RUN_ID", SECRET + "/")
    with pytest.raises(BadConfigurationError) as caught:
        read_settings(TrainSettings)
    assert SECRET not in str(caught.value)


def test_migration_needs_the_database_alone(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("REDIS_URL")
    environment.delenv("RETRAIN_RUN_ID")
    assert read_settings(MigrateSettings).events_table == "scored_events"


@pytest.mark.parametrize("around", [("", "\n"), ("", "\r\n"), (" \t", " "), ("\ufeff", "\n\n")])
def test_white_space_around_a_secret_is_ignored(
    environment: pytest.MonkeyPatch, around: tuple[str, str]
) -> None:
    before, after = around
    for name in ("DATABASE_URL", "REDIS_URL"):
        environment.setenv(name, f"{before}{GOOD[name]}{after}")
    environment.setenv("SIGNING_KEY", f"{before}0123456789abcdef{after}")
    settings = read_settings(TrainSettings)
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.redis_url.get_secret_value() == GOOD["REDIS_URL"]
    assert settings.signing_key.get_secret_value() == "0123456789abcdef"


def test_previous_signing_key_needs_a_present_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGNING_KEY_PREVIOUS", "0123456789abcdef\n")
    with pytest.raises(BadConfigurationError) as caught:
        read_settings(TrainSettings)
    assert "signing.previousSecretKey (SIGNING_KEY_PREVIOUS) is wrong" in str(caught.value)
    assert "it needs signing.existingSecret (SIGNING_KEY)" in str(caught.value)
    environment.setenv("SIGNING_KEY", "fedcba9876543210")
    registry = read_settings(TrainSettings).registry
    assert registry.previous_signing_key.get_secret_value() == "0123456789abcdef"
    environment.setenv("SIGNING_KEY_PREVIOUS", "short")
    with pytest.raises(BadConfigurationError, match="fewer than 16 characters"):
        read_settings(TrainSettings)


@pytest.mark.parametrize("key", ["active\nmodel", "active\rmodel", ""])
def test_key_of_the_model_has_one_line(key: str) -> None:
    with pytest.raises(ValidationError):
        Tunables(model_key=key)


def test_threshold_is_published_only_under_a_key() -> None:
    assert Tunables(threshold_key="live_threshold", publish_threshold=True).publish_threshold
    with pytest.raises(ValidationError, match=r"it needs trainer\.thresholdKey"):
        Tunables(publish_threshold=True)
