"""The calls to the API server that this operator makes, in its one namespace.

A call that timed out may still have succeeded. Callers repeat it and treat "already exists" as
success. Objects are plain JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

from retraining_operator.api import names
from retraining_operator.api.request import Manifest
from retraining_operator.kube.answers import read_items, read_page
from retraining_operator.kube.resources import (
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    MANAGED_SELECTOR,
    PODS,
    REFUSAL_SELECTOR,
    REQUESTS,
    Listing,
    ResourceKind,
)
from retraining_operator.kube.transport import CALL_TIMEOUT_SECONDS, Transport

LAUNCH_TIMEOUT_SECONDS = 35
"""Time limit of creating a Job. The API server waits up to 30 s for an admission webhook."""
LOG_TIMEOUT_SECONDS = 5
"""Time limit of reading a log, which comes from the pod's node. The node may be unreachable."""
LOG_LIMIT_BYTES = 1_048_576
"""Maximum size of a log. The API server counts from the beginning of the requested lines."""
PAGE_OBJECTS = 100
"""Objects per page of a list. A finished request takes about 30 kB once it is parsed."""
MERGE_PATCH = "application/merge-patch+json"


class KubeClient:
    """Typed calls to the API server.

    Each call raises a `KubeError` if the API server does not answer or answers with an error.

    Args:
        transport: Sends the HTTP requests.
        namespace: The namespace of all objects.
    """

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace

    def list_pages(self, kind: ResourceKind) -> AsyncIterator[Listing]:
        """List all objects of a kind by page. Thousands at once take hundreds of MiB."""
        return self._list_pages(kind, "")

    async def list_jobs(self) -> Listing:
        """List the Jobs that this operator has created."""
        items: list[Manifest] = []
        resource_version = 0
        async for page in self._list_pages(JOBS, MANAGED_SELECTOR):
            items.extend(page)
            resource_version = page.resource_version
        return Listing(items, resource_version)

    async def list_refusals(self) -> list[Manifest]:
        """List the Events that report that a Job's pod was rejected."""
        return await self._list(EVENTS, {"fieldSelector": REFUSAL_SELECTOR})

    async def list_pods(self, request_uid: str | None = None) -> list[Manifest]:
        """List the pods of one RetrainRequest by its uid, or of all."""
        selector = f"{names.LABEL_REQUEST_UID}={request_uid}" if request_uid else MANAGED_SELECTOR
        return await self._list(PODS, {"labelSelector": selector})

    async def find_pod(self, name: str, seconds: float = CALL_TIMEOUT_SECONDS) -> Manifest | None:
        """Find a pod by its name. Needs only the right to list pods.

        Args:
            name: The pod's name.
            seconds: Time limit of the call.

        Returns:
            The pod, or None if there is none.
        """
        pods = await self._list(PODS, {"fieldSelector": f"metadata.name={name}"}, seconds)
        return next(iter(pods), None)

    async def _list(
        self, kind: ResourceKind, query: Mapping[str, str], seconds: float = CALL_TIMEOUT_SECONDS
    ) -> list[Manifest]:
        path = kind.path(self.namespace)
        answer = await self.transport.request_object("GET", path, query=query, seconds=seconds)
        return read_items(answer)

    async def _list_pages(self, kind: ResourceKind, selector: str) -> AsyncIterator[Listing]:
        query = {"labelSelector": selector} if selector else {}
        query["limit"] = str(PAGE_OBJECTS)
        path = kind.path(self.namespace)
        while True:
            answer = await self.transport.request_object("GET", path, query=query)
            page, token = read_page(answer)
            yield page
            if not token:
                return
            query["continue"] = token

    def watch(
        self, kind: ResourceKind, resource_version: int, seconds: int
    ) -> AbstractAsyncContextManager[AsyncGenerator[Manifest, None]]:
        """Watch what has changed since a version, and what changes within some seconds.

        Args:
            kind: The objects' kind.
            resource_version: Changes since then come first, and at once.
            seconds: When the API server ends the watch.

        Returns:
            A context manager. It yields events with `type` and `object` once the API server has
            accepted the watch. It raises `ExpiredError` if the version is too old, and another
            `KubeError` if the API server did not answer or the watch broke.
        """
        query = {
            "watch": "true",
            "resourceVersion": str(resource_version),
            "timeoutSeconds": str(seconds),
        }
        path = kind.path(self.namespace)
        return self.transport.watch(path, query, seconds + CALL_TIMEOUT_SECONDS)

    async def create(
        self, kind: ResourceKind, manifest: Manifest, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Create an object.

        Args:
            kind: The object's kind.
            manifest: The object.
            seconds: Time limit of the call.

        Returns:
            The object as the API server has stored it.

        Raises:
            AlreadyExistsError: If the name is taken, perhaps by an earlier try of this call.
        """
        path = kind.path(self.namespace)
        return await self.transport.request_object("POST", path, manifest, seconds=seconds)

    async def read(
        self, kind: ResourceKind, name: str, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Read one object.

        Args:
            kind: The object's kind.
            name: The object's name.
            seconds: Time limit of the call.

        Returns:
            The object.

        Raises:
            NotFoundError: If it does not exist.
        """
        path = kind.path(self.namespace, name)
        return await self.transport.request_object("GET", path, seconds=seconds)

    async def patch(
        self, kind: ResourceKind, name: str, change: Manifest, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Change an object by a merge patch.

        Args:
            kind: The object's kind.
            name: The object's name.
            change: The patch.
            seconds: Time limit of the call.

        Returns:
            The object as the API server has stored it.

        Raises:
            ConflictError: If the patch names a resource version that is no longer the current one.
            NotFoundError: If the object does not exist.
        """
        return await self._merge(kind.path(self.namespace, name), change, seconds)

    async def patch_status(
        self, name: str, resource_version: int, status: Mapping[str, object]
    ) -> Manifest:
        """Write a RetrainRequest's status.

        Args:
            name: The object's name.
            resource_version: The version that the change is based on.
            status: The fields that change.

        Returns:
            The object as the API server has stored it.

        Raises:
            ConflictError: If that resource version is no longer the current one.
        """
        change = {"metadata": {"resourceVersion": str(resource_version)}, "status": dict(status)}
        return await self._merge(REQUESTS.path(self.namespace, name, "status"), change)

    async def _merge(
        self, path: str, change: Manifest, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        return await self.transport.request_object(
            "PATCH", path, change, content_type=MERGE_PATCH, seconds=seconds
        )

    async def set_job_ttl(self, job: str, seconds: int) -> Manifest:
        """Set after how long Kubernetes deletes a finished Job.

        Args:
            job: The Job's name.
            seconds: The time to live after its end.

        Returns:
            The Job.
        """
        return await self.patch(JOBS, job, {"spec": {"ttlSecondsAfterFinished": seconds}})

    async def end_job(self, job: str, annotations: Mapping[str, str]) -> Manifest:
        """End a running Job by a deadline of one second. What its pod has done is not reverted.

        Args:
            job: The Job's name.
            annotations: Added to the Job, to record why.

        Returns:
            The Job.
        """
        metadata = {"annotations": dict(annotations)}
        return await self.patch(
            JOBS, job, {"metadata": metadata, "spec": {"activeDeadlineSeconds": 1}}
        )

    async def delete_pod(self, name: str, uid: str) -> None:
        """Delete one pod of a Job.

        Args:
            name: The pod's name.
            uid: The pod's uid. Another pod of that name is not deleted.

        Raises:
            ConflictError: If it is another pod.
            NotFoundError: If it does not exist.
        """
        options = {"preconditions": {"uid": uid}}
        await self.transport.request("DELETE", PODS.path(self.namespace, name), options)

    async def delete_request(self, name: str, uid: str, resource_version: int) -> None:
        """Delete a RetrainRequest, and with it what it owns.

        Args:
            name: The object's name.
            uid: The object's uid. Another object of that name is not deleted.
            resource_version: The object is not deleted if it has changed since.

        Raises:
            ConflictError: If it is another object, or has changed.
            NotFoundError: If it does not exist.
        """
        options = {"preconditions": {"uid": uid, "resourceVersion": str(resource_version)}}
        await self.transport.request("DELETE", REQUESTS.path(self.namespace, name), options)

    async def replace_config_map(self, manifest: Manifest) -> Manifest:
        """Replace a ConfigMap as it was read.

        Raises:
            ConflictError: If it has changed since.
            NotFoundError: If it does not exist.
        """
        path = CONFIG_MAPS.path(self.namespace, manifest["metadata"]["name"])
        return await self.transport.request_object("PUT", path, manifest)

    async def read_log(self, pod: str, lines: int) -> str:
        """Read the last lines of a trainer's log.

        Args:
            pod: The pod's name.
            lines: How many lines. At most their first LOG_LIMIT_BYTES bytes are returned.

        Returns:
            The lines.

        Raises:
            NotFoundError: If the pod does not exist.
        """
        query = {
            "container": names.TRAINER_CONTAINER,
            "tailLines": str(lines),
            "limitBytes": str(LOG_LIMIT_BYTES),
        }
        path = PODS.path(self.namespace, pod, "log")
        log = await self.transport.request("GET", path, query=query, seconds=LOG_TIMEOUT_SECONDS)
        return log.decode(errors="replace")
