"""Rows of the audit tables that no trainer has written never fail a run or spoil a version."""

from collections.abc import Sequence

import pytest

from tests.integration.job.world import World

RUN = (
    "INSERT INTO retraining_runs (run_id, verdict, reason, message, version, started_at,"
    " finished_at) VALUES "
)
FORGED = {
    "a version without room for the next": RUN
    + "('x', 'Promoted', 'r', 'm', 999999999999999999, now(), now())",
    "the last version of the type": RUN
    + "('x', 'Promoted', 'r', 'm', 9223372036854775807, now(), now())",
    "a negative version": RUN + "('x', 'Promoted', 'r', 'm', -5, now(), now())",
    "the last version of the other table": "INSERT INTO model_versions VALUES"
    " (9223372036854775807, now(), 'x', 0.5, 1)",
    "the first version of the other table": "INSERT INTO model_versions VALUES"
    " (-9223372036854775808, now(), 'x', 0.5, 1)",
    "the last version of a table from before": "ALTER TABLE model_versions ALTER version"
    " TYPE integer; INSERT INTO model_versions VALUES (2147483647, now(), 'x', 0.5, 1)",
}


@pytest.mark.parametrize("statement", FORGED.values(), ids=list(FORGED))
def test_forged_version_spoils_neither_the_next_version_nor_a_later_run(
    world: World, statement: str
) -> None:
    world.sql(statement)
    first, second = world.train("run-1"), world.train("run-2")
    assert (first.result.version, second.result.version) == (1, 2), first.log
    assert [row[0] for row in world.versions if 0 < row[0] < 10] == [1, 2]
    assert "have a version that no run can have" in first.log
    back = world.start("back", ("rollback", "--to", "1")).wait()
    assert (back.code, world.version) == (0, b"3"), back.log


@pytest.mark.parametrize("kind", ["numeric", "text", "double precision"])
def test_forged_version_of_any_type_does_not_count(world: World, kind: str) -> None:
    for table in ("model_versions", "retraining_runs"):
        world.sql(f"ALTER TABLE {table} ALTER version TYPE {kind} USING version::{kind}")
    world.sql("INSERT INTO model_versions VALUES ('NaN', now(), 'x', 0.5, 1)")
    world.sql("INSERT INTO model_versions VALUES ('7', now(), 'x', 0.5, 1)")
    world.sql(RUN + f"('x', 'Promoted', 'r', 'm', '1{'0' * 30}', now(), now())")
    run = world.train()
    assert (run.code, run.result.version) == (0, 8), run.log


CHANGES = (
    ["ALTER TABLE retraining_runs ALTER reason DROP NOT NULL, ALTER message DROP NOT NULL,"
     " ALTER started_at DROP NOT NULL, ALTER finished_at DROP NOT NULL",
     "ALTER TABLE retraining_runs ALTER metrics TYPE text, ALTER n_samples TYPE numeric,"
     " ALTER version TYPE numeric"]
)  # fmt: skip
OWN = "UPDATE retraining_runs SET {} WHERE run_id = 'run-1'"
DAMAGES = {
    "an unknown verdict": "verdict = 'NoSuchVerdict'",
    "an unknown word": "withheld = 'NoSuchWord'",
    "no reason": "reason = NULL",
    "a reason that is none": "reason = repeat('x ', 100)",
    "no time": "started_at = NULL",
    "infinity": "finished_at = 'infinity'",
    "minus infinity": "started_at = '-infinity'",
    "before the year 1": "started_at = '0044-03-15 BC'",
    "the year 99999": "finished_at = '99999-01-01'",
    "a version without room": "version = 999999999999999999",
    "a negative version": "version = -1",
    "no number": "version = 'NaN'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_damaged_row_of_the_run_itself_is_one_sentence_and_the_run_goes_on(
    world: World, damage: str
) -> None:
    for statement in CHANGES:
        world.sql(statement)
    world.sql(RUN + "('run-1', 'Kept', 'inferior', 'm', NULL, now(), now())")
    world.sql(OWN.format(damage))
    run = world.train("run-1")
    assert (run.code, run.result.verdict, run.result.version) == (0, "Promoted", 1), run.log
    assert "The row of run run-1 in retraining_runs does not count" in run.log
    assert "Traceback" not in run.log
    assert [row[0] for row in world.versions] == [1]


@pytest.mark.parametrize(
    "values",
    [
        "metrics = '[1]'", "metrics = 'no json'", "n_samples = 'NaN'", "n_samples = -1",
        "message = NULL", "message = repeat('x', 100000000)", "window_first = 'infinity'",
        "evidence = '[]'", "report = repeat('x', 100000000)", "champion_version = -7",
    ],
)  # fmt: skip
def test_value_that_only_informs_costs_nothing(world: World, values: str) -> None:
    for statement in CHANGES:
        world.sql(statement)
    world.sql(RUN + "('run-1', 'Kept', 'inferior', 'm', NULL, now(), now())")
    world.sql(OWN.format(values))
    run = world.train("run-1")
    assert (run.code, run.result.verdict, run.result.reason) == (0, "Kept", "inferior"), run.log
    assert "An earlier attempt of this run has ended" in run.log


@pytest.mark.parametrize(
    "statements",
    [
        ["INSERT INTO model_versions VALUES (999, 'infinity', 'x', 'NaN', 1, 'run-1')"],
        ["ALTER TABLE model_versions ALTER trained_at DROP NOT NULL",
         "INSERT INTO model_versions VALUES (999, NULL, 'x', 0.5, 1, 'run-1')"],
        ["ALTER TABLE model_versions ALTER version TYPE text",
         "INSERT INTO model_versions VALUES ('none', now(), 'x', 0.5, 1, 'run-1')"],
    ],
    ids=["infinity", "null", "text"],
)  # fmt: skip
def test_damaged_row_of_a_version_is_one_sentence(world: World, statements: Sequence[str]) -> None:
    world.sql("DROP TABLE retraining_runs")
    for statement in statements:
        world.sql(statement)
    run = world.train("run-1")
    assert "The row of run run-1 in model_versions does not count" in run.log
    assert "Traceback" not in run.log


def test_table_without_its_key_is_refused_with_a_sentence(world: World) -> None:
    world.sql("ALTER TABLE retraining_runs DROP CONSTRAINT retraining_runs_pkey")
    for _ in range(2):
        world.sql(RUN + "('run-1', 'Kept', 'inferior', 'm', NULL, now(), now())")
    run = world.train("run-1")
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "The table retraining_runs refuses the row" in run.result.message
    assert "Traceback" not in run.log


def test_report_that_controls_a_terminal_is_printed_without_control_characters(
    world: World,
) -> None:
    world.sql(RUN + "('run-1', 'Kept', 'inferior', 'm', NULL, now(), now())")
    world.sql(
        OWN.format("report = E'<p>\\n\\t\\x1b]0;title\\x07\\x1b[2J\\r\\u009b31m\\u202e</p>\\n'")
    )
    printed = world.start(arguments=("report", "run-1")).wait()
    assert printed.code == 0, printed.log
    assert "<p>\n\t\\x1b]0;title\\x07\\x1b[2J\\r\\x9b31m\\u202e</p>\n" in printed.log


def test_report_of_100_megabytes_is_refused_with_a_sentence(world: World) -> None:
    world.sql(RUN + "('run-1', 'Kept', 'inferior', 'm', NULL, now(), now())")
    world.sql(OWN.format("report = repeat('x', 100000000)"))
    printed = world.start(arguments=("report", "run-1")).wait()
    assert printed.code == 65
    assert "no trainer has written it" in printed.log
    assert len(printed.log) < 10_000
