"""Import of river's forest without the rest of river."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

LIGHT = """
import sys
from retraining_job.model.river_import import import_half_space_trees
from retraining_job.model.equivalence import check_equivalence
import retraining_job.model.model, retraining_job.model.forest, retraining_job.model.state
import retraining_job.foreign_pickle.reader, retraining_job.model.pickle_writer
loaded = {name.split(".")[0] for name in sys.modules}
assert "river" not in loaded, "river is loaded before it is needed"
forest = import_half_space_trees()
assert check_equivalence() is None
others = {"river.anomaly", "river.tree", "river.stats", "scipy.stats"}
assert not others & set(sys.modules), "all of river is loaded"

import pickle
made = forest(n_trees=1, height=2, window_size=3, seed=1)
made.learn_one({"amount": 0.5})
blob = pickle.dumps(made)
import river.anomaly, river.tree
from river.anomaly import GaussianScorer, HalfSpaceTrees, hst
from river.tree import HoeffdingTreeClassifier, base, padded
assert HalfSpaceTrees is forest is hst.HalfSpaceTrees
assert type(pickle.loads(blob)) is forest
HoeffdingTreeClassifier().learn_one({"amount": 0.5}, True)
"""

READING = """
import sys
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.model import Model
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from retraining_job.model.array_forest import ArrayForest
forest = ArrayForest.grow(["amount"], n_trees=1, height=2, window_size=3, seed=1)
blob = write_pickle(Model(forest, StandardAbsoluteDeviation()), DEFAULT_DEVIATION_CLASS)
assert "river" not in sys.modules, "river is loaded to write a model"
assert type(read_pickle(blob, DEFAULT_DEVIATION_CLASS).hst) is ArrayForest
assert "river" not in sys.modules, "river is loaded to read a model"
"""

MOVED = """
import sys
import retraining_job.model.river_import as rivers
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "river.anomaly.hst" and "river.anomaly.gaussian" not in sys.modules:
            raise ImportError("another release needs its packages whole")
sys.meta_path.insert(0, Finder())
assert rivers.import_half_space_trees().__module__ == "river.anomaly.hst"
assert "river.anomaly" in sys.modules
"""


def run_python(code: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr


def test_only_what_the_forest_needs_is_imported_and_the_rest_can_be_imported_later() -> None:
    run_python(LIGHT)


def test_writing_and_reading_a_model_need_no_river() -> None:
    run_python(READING)


def test_package_is_imported_as_usual_if_the_partial_import_fails() -> None:
    run_python(MOVED)
