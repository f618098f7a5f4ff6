"""Interprets a pickle: runs of nodes together, and all other opcodes one by one.

It knows the opcodes that pickles of river's forests consist of (protocols 2 to 5). Time is
proportional to the length of the pickle.
"""

from __future__ import annotations

import pickle

from retraining_job.foreign_pickle.box import Box
from retraining_job.foreign_pickle.node_runs import NodeRuns
from retraining_job.foreign_pickle.opcodes import ACTIONS, STOP, describe
from retraining_job.model.model import UnreadableModelError

OPCODE_LIMIT = 50_000_000
"""Most opcodes that are interpreted one by one. It bounds the time. The greatest forest of the
default settings has 30 million, of which nearly all are interpreted in runs."""


def interpret(box: Box) -> object:
    """Interpret the pickle of a box.

    Args:
        box: The box, which is used once.

    Returns:
        The content of the pickle, in which nodes are numbers (`boxed_nodes`) and other objects are
        records.

    Raises:
        UnreadableModelError: It is damaged, forged, too large, or not a pickle of a model.
    """
    if box.data[:1] != pickle.PROTO:
        raise UnreadableModelError(
            "it is not a complete pickle: it does not begin with the number of its protocol"
        )
    box.skip_frames()
    runs = NodeRuns(box)
    for _ in range(OPCODE_LIMIT):
        box.position = runs.run(box.position)
        opcode = box.read(1)[0]
        if opcode == STOP:
            return box.pop()
        action = ACTIONS.get(opcode)
        if action is None:
            raise UnreadableModelError(
                f"it is not a pickle of a model: at byte {box.position - 1:,} it contains "
                f"{describe(opcode)}, which pickles of river's forests do not use"
            )
        action(box)
    raise UnreadableModelError(
        f"it has more than {OPCODE_LIMIT:,} opcodes beside those of its trees"
    )
