"""Forks trainers from one process that has imported river, because the import takes seconds.

Reads one JSON document per line from stdin and answers with one number per line. The document
`{"environment": {...}, "arguments": [...], "output": PATH}` starts a trainer; the answer is its
process id. The document `{"wait": PID}` waits for it; the answer is its exit code.
"""

import json
import os
import sys
import traceback
from typing import Any

import redis  # noqa: F401  # what a trainer would load

from retraining_job.cli import main
from retraining_job.model.equivalence import check_equivalence

check_equivalence()  # loads river


def start(order: dict[str, Any]) -> int:
    """Fork a trainer. Returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.clear()
        os.environ.update(order["environment"])
        os._exit(main(order["arguments"]))
    except BaseException:  # noqa: BLE001  # the child must never return to the loop below
        traceback.print_exc()
    os._exit(99)


for line in sys.stdin:
    order = json.loads(line)
    answer = (
        os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        if "wait" in order
        else start(order)
    )
    print(answer, flush=True)  # noqa: T201  # the answer to the test
