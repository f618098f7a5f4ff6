"""Being asked to end: SIGTERM and SIGINT. Set up by `__main__` alone."""

from __future__ import annotations

import logging
import os
import signal
import threading

ASKED_TO_END = frozenset({signal.SIGTERM, signal.SIGINT})

log = logging.getLogger(__name__)


def end_when_asked() -> None:
    """End the process as soon as it is asked to, whatever it does just then.

    Every step of a run survives SIGKILL, so there is nothing to tidy up. A thread waits for the
    signals, because a handler in the main thread runs only after a call into the database or a
    pickle has come back; and a container's first process ends by a signal only if it sees to that
    itself.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKED_TO_END)
    threading.Thread(target=wait, name="signals", daemon=True).start()


def wait() -> None:
    """Wait for a signal and end the process with the code that a shell gives for it."""
    received = signal.sigwait(ASKED_TO_END)
    log.warning(
        "Ended by %s. Started again, the run goes on from what is done.",
        signal.Signals(received).name,
    )
    os._exit(128 + received)
