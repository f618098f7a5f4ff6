"""The keys in Redis of one live model and of what belongs to it.

    active_model                      pickle, for readers (setting `model_key`)
    model_version                     its version, an integer (setting `version_key`)
    active_model:meta                 its manifest, JSON
    active_model:state                its state, from which the trainer rebuilds it
    active_model:epoch                number of changes of the live model
    active_model:history              hash of former champions, version -> JSON {manifest, state}
    active_model:history:<version>    pickle of a former champion that has no state
    active_model:changes              channel of notices about changes
    active_model:run:<run id>         result document of a run that has published
    active_model:challenger:<run id>  challenger that waits for approval
    active_model:staging:...          uploaded model, which expires by itself

One script changes all of them, so all must be on one Redis server. Redis Cluster does not ensure
that, because the two names that can be set have no common hash tag.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings


@dataclass(frozen=True)
class Keys:
    """The names of the keys.

    Args:
        model: The key of the live model's pickle.
        version: The key of its version.
    """

    model: str
    version: str

    @classmethod
    def of(cls, registry: RegistrySettings) -> Keys:
        """Build the names from the settings."""
        return cls(registry.model_key, registry.version_key)

    @property
    def meta(self) -> str:
        """The key of the manifest."""
        return f"{self.model}:meta"

    @property
    def state(self) -> str:
        """The key of the state."""
        return f"{self.model}:state"

    @property
    def epoch(self) -> str:
        """The key of the number of changes."""
        return f"{self.model}:epoch"

    @property
    def history(self) -> str:
        """The hash of former champions."""
        return f"{self.model}:history"

    @property
    def changes(self) -> str:
        """The channel of notices."""
        return f"{self.model}:changes"

    def kept_pickle(self, version: int) -> str:
        """Return the key of a former champion's pickle."""
        return f"{self.model}:history:{version}"

    def run(self, run_id: str) -> str:
        """Return the key of a run's result document."""
        return f"{self.model}:run:{run_id}"

    def challenger(self, run_id: str) -> str:
        """Return the key of a challenger that waits for approval."""
        return f"{self.model}:challenger:{run_id}"

    def former(self, run_id: str) -> str:
        """Return the key under which the former pickle waits to be freed."""
        return f"{self.model}:staging:{run_id}:former"

    def staging(self, run_id: str) -> str:
        """Return a new key for an upload. No other upload has it."""
        return f"{self.model}:staging:{run_id}:{secrets.token_hex(8)}"
