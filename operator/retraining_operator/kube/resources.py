"""The kinds of objects that the operator reads and writes, and how the API server selects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from retraining_operator.api import names
from retraining_operator.api.pod_problems import FAILED_CREATE
from retraining_operator.api.request import Manifest


class ResourceKind(NamedTuple):
    """A kind of objects, as the API server's paths name it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Build the URL path of objects of this kind.

        Args:
            namespace: The namespace.
            name: The object's name; empty for all objects of the namespace.
            subresource: For example `status` or `log`; empty for the object itself.

        Returns:
            The path, which starts with a slash.
        """
        root = f"/apis/{self.group}" if self.group else "/api"
        segments = [root, self.version, "namespaces", namespace, self.plural, name, subresource]
        return "/".join(segment for segment in segments if segment)


REQUESTS = ResourceKind(names.GROUP, names.VERSION, names.PLURAL)
APPROVALS = ResourceKind(names.GROUP, names.VERSION, names.APPROVAL_PLURAL)
JOBS = ResourceKind("batch", "v1", names.JOBS)
EVENTS = ResourceKind("events.k8s.io", "v1", "events")
LEASES = ResourceKind("coordination.k8s.io", "v1", "leases")
PODS = ResourceKind("", "v1", names.PODS)
CONFIG_MAPS = ResourceKind("", "v1", "configmaps")
REFUSAL_SELECTOR = f"reason={FAILED_CREATE},regarding.kind=Job"
"""Field selector of the Events that report that a Job's pod was rejected."""
MANAGED_SELECTOR = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
"""Label selector of the objects that this operator creates."""


@dataclass(frozen=True)
class Listing:
    """Objects of one kind at one moment.

    Args:
        items: The objects.
        resource_version: The resource version of the list.
    """

    items: list[Manifest]
    resource_version: int

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
