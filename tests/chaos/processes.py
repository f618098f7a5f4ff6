"""The processes of a pod on this machine, by the pod's cgroup, so that no other process is hit."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAUSE = "/pause"
"""Holds a pod's namespaces. It is not the program."""


def of_pod(uid: str) -> Iterator[int]:
    """Return the ids of the pod's processes."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            in_pod = f"/pod{uid}/" in (folder / "cgroup").read_text()
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if in_pod and words[0] and words[0].decode() != PAUSE:
                yield int(folder.name)


def kill(uid: str) -> bool:
    """Send SIGKILL to all of a pod's processes. Returns whether there were any."""
    found = list(of_pod(uid))
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return bool(found)
