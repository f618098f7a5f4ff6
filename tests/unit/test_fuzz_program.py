"""How `make fuzz` changes inputs, selects a corpus and reads libFuzzer's output."""

import json
import random
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from tests.fuzz import inputs
from tests.fuzz.__main__ import format_summary
from tests.fuzz.inputs import FILES_LIMIT, Arc, minimize, read_inputs, select, trace_arcs
from tests.fuzz.mutator import Mutator
from tests.fuzz.session import Progress, read_lines
from tests.fuzz.targets import FuzzTarget

SEED = b'{"a": [1, "x", null], "b": {"c": true}}'


def draw(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # the same changes in each run


def arcs(*lines: int) -> set[Arc]:
    return {("file", line - 1, line) for line in lines}


def test_changed_json_is_almost_always_json_and_depends_only_on_the_seed() -> None:
    mutator = Mutator([SEED])
    found = [mutator.mutate(SEED, draw(number)) for number in range(500)]
    assert found == [mutator.mutate(SEED, draw(number)) for number in range(500)]
    assert len(set(found)) > 300
    count = 0
    for data in found:
        try:
            json.loads(data)
        except ValueError:
            count += 1
    assert count < 25


def add_y(data: bytes) -> bytes:
    return data + b"y"


def test_other_bytes_are_changed_as_bytes() -> None:
    mutator = Mutator([b"\x80\x04."])
    assert len({mutator.mutate(b"\x80\x04.", draw(number)) for number in range(99)}) > 50
    assert mutator.mutate(b"x", draw(1), add_y) == b"xy"


def test_selection_takes_the_smallest_of_equal_inputs_and_none_without_a_gain() -> None:
    chosen = select({b"aaa": arcs(1, 2, 3), b"bb": arcs(1, 2, 3), b"c": arcs(1), b"d": arcs(4)})
    assert chosen == [b"bb", b"d"]


def test_selection_is_limited() -> None:
    many = {bytes([number]): arcs(number) for number in range(200)}
    assert len(select(many)) == FILES_LIMIT
    large = {bytes([number]) * 60_000: arcs(number) for number in range(5)}
    assert len(select({**large, b"x": arcs(9)})) == 2


def test_arcs_are_those_of_the_packages() -> None:
    assert trace_arcs(json.loads, b"{}") == set()


def test_corpus_keeps_former_crashes_and_drops_inputs_that_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(inputs, "WORK", tmp_path / "work")
    for name in ("corpus/t/crash-old", "corpus/t/other", "work/t/found/new"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert "kept 0 of 2 inputs, 0 bytes, 1 inputs fail" in minimize(
        FuzzTarget("t", fail_if_new, lambda: [])
    )
    assert read_inputs(tmp_path / "corpus/t") == [b"corpus/t/crash-old"]


def fail_if_new(data: bytes) -> None:
    if b"new" in data:
        raise ValueError


def test_lines_of_a_process_are_read_to_its_end() -> None:
    command = [sys.executable, "-c", "print(1); print(2)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert [line for line in read_lines(process) if line] == ["1\n", "2\n"]


def test_output_of_libfuzzer_becomes_progress_and_a_summary() -> None:
    progress = Progress("pod", seconds=10)
    for line in (
        "INFO: Instrumenting retraining_operator.api\n",
        "#2\tINITED cov: 7 ft: 8 corp: 1/1b exec/s: 0 rss: 50Mb\n",
        "#300\tNEW    cov: 9 ft: 12 corp: 2/9b lim: 4 exec/s: 30 rss: 50Mb L: 8/8 MS: 1 Custom-\n",
        "#400\tREDUCE cov: 9 ft: 12 corp: 2/8b lim: 4 exec/s: 40 rss: 50Mb L: 7/7 MS: 1 Custom-\n",
        "",
        "stat::number_of_executed_units: 500\n",
        "ValueError: no\n",
        "artifact_prefix='x/'; Test unit written to x/crash-12\n",
    ):
        progress.read_line(line)
    assert (progress.runs, progress.coverage, progress.new_inputs) == (500, 9, 1)
    assert progress.last_lines == deque(
        [
            "stat::number_of_executed_units: 500",
            "ValueError: no",
            "artifact_prefix='x/'; Test unit written to x/crash-12",
        ]
    )
    progress.has_failed = True
    summary = format_summary([progress, Progress("job", runs=5, seconds=1)])
    assert "python -m tests.fuzz replay pod x/crash-12" in summary
    assert [line.split()[-1] for line in summary.splitlines()[1:3]] == ["FAILED", "passed"]
