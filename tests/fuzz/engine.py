"""Runs libFuzzer on one target in this process, which it ends: `python -m tests.fuzz.engine`.

The packages are instrumented while they are imported, so no module may import them before.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import atheris

from tests.fuzz.mutator import Mutator, list_paths, parse_container

WORD_LIMIT_CHARACTERS = 60
NO_WORDS = "# no words\n"
"""libFuzzer accepts no empty dictionary."""
CUSTOM_SHARE = 0.8
"""How often an input is changed as JSON. Otherwise libFuzzer changes its bytes."""


def main() -> None:
    """Fuzz the target of the first argument. The others are libFuzzer's."""
    name, folder, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["retraining_operator", "retraining_job"]):
        from tests.fuzz.targets import load_targets  # noqa: PLC0415

        target = load_targets()[name]
    logging.disable(logging.CRITICAL)
    seeds = target.build_seeds()
    work = Path(folder)
    write_files(work / "seeds", seeds)
    words = work / "words"
    words.write_text(format_dictionary(seeds) or NO_WORDS)
    mutator = Mutator(seeds)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        draw = random.Random(seed)  # noqa: S311  # libFuzzer chooses the seed

        def mutate_bytes(content: bytes) -> bytes:
            return bytes(atheris.Mutate(content, max_size))

        if draw.random() > CUSTOM_SHARE:
            return mutate_bytes(data)
        return mutator.mutate(data, draw, mutate_bytes)[:max_size]

    arguments = [sys.argv[0], *options, f"-dict={words}"]
    atheris.Setup(arguments, target.run, custom_mutator=mutate)
    atheris.Fuzz()


def write_files(folder: Path, inputs: Iterable[bytes]) -> None:
    """Write inputs as files.

    Args:
        folder: The folder, which is created.
        inputs: The contents.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(inputs):
        (folder / str(number)).write_bytes(content)


def format_dictionary(seeds: Iterable[bytes]) -> str:
    """Format the names and texts of JSON inputs as a dictionary of libFuzzer.

    Args:
        seeds: The inputs. Those that are not JSON add nothing.

    Returns:
        One entry in each line.
    """
    words: set[str] = set()
    for seed in seeds:
        value = parse_container(seed)
        for path in list_paths(value) if value is not None else ():
            words.update(step for step in path if isinstance(step, str))
            part = value
            for step in path:
                part = part[step]
            if isinstance(part, str) and 0 < len(part) <= WORD_LIMIT_CHARACTERS:
                words.add(part)
    quoted = (json.dumps(word).encode() for word in sorted(words))
    entries = ("".join(f"\\x{byte:02x}" for byte in word) for word in quoted)
    return "".join(f'"{entry}"\n' for entry in entries)


if __name__ == "__main__":
    main()
