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

    Every step of a run survives SIGKILL, so there is nothing to clean up. A thread waits for the
    signals, because a handler in the main thread runs only after a call into the database or a
    pickle has returned; and the first process of a container is ended by a signal only if it
    handles it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    threading.Thread(target=wait_and_exit, name="signals", daemon=True).start()


def wait_and_exit() -> None:
    """Wait for a signal and exit with the code that a shell reports for it."""
    received = signal.sigwait(HANDLED_SIGNALS)
    log.warning(
        "Ended by %s. If started again, the run continues from what is done.",
        signal.Signals(received).name,
    )
    os._exit(128 + received)
