"""An API server that stores RetrainRequests in memory, for the parts that create them."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any, cast

from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import read_error

EXISTS = '{"kind": "Status", "reason": "AlreadyExists", "message": "it exists"}'
MISSING = '{"kind": "Status", "reason": "NotFound", "message": "gone"}'
Body = dict[str, Any]


class StoredRequests:
    """The stored RetrainRequests by name.

    Args:
        deletes_taken: Whether an object that takes a name is deleted before it can be read.
    """

    def __init__(self, *, deletes_taken: bool = False) -> None:
        self.namespace = "fraud"
        self.objects: dict[str, Body] = {}
        self._deletes_taken = deletes_taken
        self._version = 0

    def add(self, manifest: Body) -> Body:
        """Store an object, as the API server does at its creation."""
        self._version += 1
        body = copy.deepcopy(manifest)
        metadata = body["metadata"]
        metadata |= {
            "namespace": self.namespace,
            "uid": f"uid-{self._version}",
            "resourceVersion": str(self._version),
            "generation": 1,
            "creationTimestamp": "2026-03-01T11:00:00Z",
        }
        body["spec"] = {"reason": "unknown", "suspend": False, **body["spec"]}
        self.objects[metadata["name"]] = body
        return copy.deepcopy(body)

    async def create(self, _kind: object, manifest: Body, *_: object) -> Body:
        """Create an object, unless its name is taken."""
        name = manifest["metadata"]["name"]
        if name in self.objects:
            if self._deletes_taken:
                del self.objects[name]
            raise read_error(409, EXISTS)
        return self.add(manifest)

    async def read(self, _kind: object, name: str) -> Body:
        """Read an object."""
        if name not in self.objects:
            raise read_error(404, MISSING)
        return copy.deepcopy(self.objects[name])

    async def list_pages(self, _kind: object) -> AsyncIterator[list[Body]]:
        """List all objects, in one page."""
        yield list(copy.deepcopy(self.objects).values())

    @property
    def client(self) -> KubeClient:
        """The same, where a client is expected."""
        return cast("KubeClient", self)
