"""A wrong setting is reported in one sentence with its name and without its value."""

from pathlib import Path

import pytest

from retraining_operator.settings import SettingsError, read_settings

GOOD = """
namespace: fraud
kafka: {bootstrapServers: "kafka:9092"}
redis: {name: r}
database: {name: d}
job: {image: "retraining-job:1"}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_defaults_fill_the_rest(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, GOOD))
    assert settings.kafka.topic == "retraining-triggers"
    assert settings.triggers.max_concurrent == 2
    assert settings.trainer.rows == 50_000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(GOOD.replace("fraud", '""'), "namespace", id="an empty text"),
        pytest.param(
            GOOD + "triggers: {maxConcurrent: 0}",
            "triggers.maxConcurrent",
            id="a number out of bounds",
        ),
        pytest.param(
            GOOD + "trainer: {minimumRows: lots}", "trainer.minimumRows", id="a trainer's setting"
        ),
        pytest.param(
            GOOD + "trainer: {minimalRows: 5}",
            "trainer.minimalRows",
            id="a name that does not exist",
        ),
        pytest.param(
            GOOD + "leaderElection: {renewDeadlineSeconds: 15}",
            "leaderElection",
            id="a leader that stops too late",
        ),
        pytest.param("kafka: {}", "kafka.bootstrapServers", id="a needed one is missing"),
        pytest.param(
            GOOD + "requests: {open: [margin, minimalRows]}",
            "requests.open.1",
            id="a field that cannot be opened",
        ),
        pytest.param(
            GOOD + "requests: {maxResources: {cpu: 1e99999999999999999999}}",
            "requests.maxResources.cpu",
            id="a quantity that no computer can count",
        ),
        pytest.param(
            GOOD + "triggers: {maxRollbacks: 0}", "triggers.maxRollbacks", id="no rollback at all"
        ),
        pytest.param("- a list", "YAML", id="no mapping"),
        pytest.param("a: [", "YAML", id="broken YAML"),
        pytest.param(GOOD + "1: 2", "YAML", id="a name that is not a string"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(write(tmp_path, text))


def test_wrong_value_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, GOOD + "trainer: {minimumRows: hunter2}"))
    assert "hunter2" not in str(caught.value)


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--config"):
        read_settings(tmp_path / "none.yaml")


def test_environment_takes_precedence_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA__TOPIC", "other")
    assert read_settings(write(tmp_path, GOOD)).kafka.topic == "other"


def test_environment_variable_that_is_not_json_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA", "hunter2")
    with pytest.raises(SettingsError, match=r'environment variable .*"kafka"') as caught:
        read_settings(write(tmp_path, GOOD))
    assert "hunter2" not in str(caught.value)
