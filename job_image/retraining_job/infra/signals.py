"""Termination by SIGTERM and SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import threading

HANDLED_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})

log = logging.getLogger(__name__)


def exit_on_signal() -> None:
    """Exit the process as soon as it receives a signal, whatever it is doing.

    There is nothing to clean up, because every step of a run survives SIGKILL. The first process of
    a container ignores a signal that it does not handle. A thread waits for the signals, because
    Python runs a signal handler in the main thread, and only after a call into a C library (the
    database, a pickle) has returned.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    threading.Thread(target=wait_and_exit, name="signals", daemon=True).start()


def wait_and_exit() -> None:
    """Wait for a signal and exit with the code that a shell reports for it."""
    received = signal.sigwait(HANDLED_SIGNALS)
    log.warning(
        "Ended by %s. If the run is started again, it does only what is missing.",
        signal.Signals(received).name,
    )
    os._exit(128 + received)
