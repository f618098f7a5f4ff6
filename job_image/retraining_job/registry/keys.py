"""The keys in Redis that make up one live model and what stands beside it. Pure.

    active_model                   the pickle, for readers                   (setting `model_key`)
    model_version                  its version, an integer                   (setting `version_key`)
    active_model:meta              its manifest, JSON
    active_model:state             its state, from which the trainer rebuilds it without reading the
    pickle active_model:epoch             +1 with every change active_model:history           hash,
    version -> JSON {manifest, state} of a former champion active_model:history:<version> the pickle
    of a former champion that has no state active_model:changes           channel on which changes
    are told active_model:run:<run id>      result document of a run that has published
    active_model:challenger:<run id>  a challenger that awaits a person's decision
    active_model:staging:...       a model on its way; vanishes by itself

All change in one script, so they live on one Redis server: the two settable names share no hash tag
    for Redis Cluster.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Tunables


@dataclass(frozen=True)
class Keys:
    """The names, as the settings make them."""

    model: str
    version: str

    @classmethod
    def of(cls, settings: Tunables) -> Keys:
        """Take the two names that can be set."""
        return cls(settings.model_key, settings.version_key)

    @property
    def meta(self) -> str:
        """Name the manifest's key."""
        return f"{self.model}:meta"

    @property
    def state(self) -> str:
        """Name the state's key."""
        return f"{self.model}:state"

    @property
    def epoch(self) -> str:
        """Name the key that counts changes."""
        return f"{self.model}:epoch"

    @property
    def history(self) -> str:
        """Name the hash of former champions."""
        return f"{self.model}:history"

    @property
    def changes(self) -> str:
        """Name the channel of notices."""
        return f"{self.model}:changes"

    def kept_pickle(self, version: int) -> str:
        """Name the key of a former champion's pickle."""
        return f"{self.model}:history:{version}"

    def run(self, run_id: str) -> str:
        """Name the key of a run's result document."""
        return f"{self.model}:run:{run_id}"

    def challenger(self, run_id: str) -> str:
        """Name the key of a challenger that awaits a decision."""
        return f"{self.model}:challenger:{run_id}"

    def former(self, run_id: str) -> str:
        """Name the key under which the former pickle waits to be freed."""
        return f"{self.model}:staging:{run_id}:former"

    def staging(self, run_id: str) -> str:
        """Make up a name for an upload that no other has."""
        return f"{self.model}:staging:{run_id}:{secrets.token_hex(8)}"
