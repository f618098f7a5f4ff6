"""The API server, and the only place that sees its client's errors. Every call is bounded in time.

A call that timed out may still have worked: callers repeat it and take "already exists" for what it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from retraining_operator import names
from retraining_operator.objects.request import Manifest

CALL_TIMEOUT_SECONDS = 10
LOG_TIMEOUT_SECONDS = 5
"""A log comes from the pod's node, which may be away while the API server is not; nobody waits long for it."""
LOG_LIMIT_BYTES = 1_048_576
"""The API server counts from the beginning of the lines asked for; longer ones than that are not our trainer's."""
CONNECTIONS = 32
"""Enough for a burst's parallel writes; the client's own default would open one for each core."""
PAGE_OBJECTS = 100
"""How many objects a list takes at a time; a finished request is some 30 kB once it is read."""
MERGE_PATCH = "application/merge-patch+json"
REFUSALS = {400, 403, 404, 405, 409, 413, 415, 422}
"""Answers that mean the request itself; after every other one the same call may succeed later.

410 is none of them: a list took so long that the API server has forgotten its beginning.
"""


class ClusterError(Exception):
    """The API server did not do what was asked."""


class ClusterAway(ClusterError):
    """It did not answer, or could not serve; the same call may succeed later."""


class NoAccess(ClusterError):
    """It is not known where it is, or as whom to speak to it."""


class Refused(ClusterError):
    """It answered no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AlreadyExists(Refused):
    """An object of that name exists."""


class Conflict(Refused):
    """The object has changed since it was read."""


class Gone(Refused):
    """The object, or its whole kind, is not there."""


class Forbidden(Refused):
    """The service account may not do that, or a quota is used up."""


async def answer_of(call: Awaitable[object]) -> Any:
    """Await a call and turn the client's errors into ours, with the API server's own sentence."""
    try:
        return await call
    except ApiException as error:
        raise read_error(int(error.status or 0), str(error.body or error.data or error.reason)) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ClusterAway(f"The API server did not answer: {type(error).__name__} {error}".strip()) from error


def read_error(status: int, body: str) -> ClusterError:
    """Read an error answer: its HTTP status and its body, a Status object."""
    try:
        answer = json.loads(body)
        message, reason = str(answer.get("message", body)), answer.get("reason")
    except (ValueError, AttributeError):
        message, reason = body, None
    if status not in REFUSALS:
        return ClusterAway(f"The API server answered {status}: {message}")
    if status == 409:
        return (AlreadyExists if reason == "AlreadyExists" else Conflict)(status, message)
    kind = {403: Forbidden, 404: Gone}.get(status, Refused)
    return kind(status, message)


class Kind(NamedTuple):
    """A kind of objects, as the API server's paths name it."""

    group: str
    version: str
    plural: str


REQUESTS = Kind(names.GROUP, names.VERSION, names.PLURAL)
JOBS = Kind("batch", "v1", "jobs")
EVENTS = Kind("events.k8s.io", "v1", "events")
LEASES = Kind("coordination.k8s.io", "v1", "leases")


@dataclass(frozen=True)
class Listing:
    """All objects of a kind at one moment."""

    items: list[Manifest]
    resource_version: int

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Cluster:
    """The calls that this operator makes, in its one namespace. Objects come and go as plain JSON."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self._objects = client.CustomObjectsApi(api)  # takes any group, so Jobs and Events need no model classes
        self._core = client.CoreV1Api(api)

    def list_requests(self) -> AsyncIterator[Listing]:
        """List all RetrainRequests, page by page: thousands of them at once would take hundreds of MiB."""
        return self._pages(REQUESTS, "")

    async def list_jobs(self) -> Listing:
        """List the Jobs that this operator has made."""
        selector = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
        pages = [page async for page in self._pages(JOBS, selector)]
        return Listing([body for page in pages for body in page], pages[-1].resource_version)

    async def _pages(self, kind: Kind, selector: str) -> AsyncIterator[Listing]:
        position = ""
        while True:
            answer = await answer_of(
                self._objects.list_namespaced_custom_object(
                    kind.group,
                    kind.version,
                    self.namespace,
                    kind.plural,
                    label_selector=selector,
                    limit=PAGE_OBJECTS,
                    _continue=position,
                    _request_timeout=CALL_TIMEOUT_SECONDS,
                )
            )
            yield Listing(answer["items"], int(answer["metadata"]["resourceVersion"]))
            position = answer["metadata"].get("continue", "")
            if not position:
                return

    async def create(self, kind: Kind, manifest: Manifest, seconds: float = CALL_TIMEOUT_SECONDS) -> Manifest:
        """Create an object and give it back as the API server stored it.

        Raises:
            AlreadyExists: where the name is taken, perhaps by an earlier try of this very call.
        """
        call = self._objects.create_namespaced_custom_object(
            kind.group, kind.version, self.namespace, kind.plural, manifest, _request_timeout=seconds
        )
        return cast("Manifest", await answer_of(call))

    async def read(self, kind: Kind, name: str, seconds: float = CALL_TIMEOUT_SECONDS) -> Manifest:
        """Read one object.

        Raises:
            Gone: where it is not there.
        """
        call = self._objects.get_namespaced_custom_object(
            kind.group, kind.version, self.namespace, kind.plural, name, _request_timeout=seconds
        )
        return cast("Manifest", await answer_of(call))

    async def patch(self, kind: Kind, name: str, change: Manifest, seconds: float = CALL_TIMEOUT_SECONDS) -> Manifest:
        """Change an object.

        Raises:
            Conflict: where the change names a resource version that the object is not at any more.
            Gone: where it is not there.
        """
        call = self._objects.patch_namespaced_custom_object(
            *kind[:2],
            self.namespace,
            kind.plural,
            name,
            change,
            _content_type=MERGE_PATCH,
            _request_timeout=seconds,
        )
        return cast("Manifest", await answer_of(call))

    async def patch_status(self, name: str, resource_version: int, status: Mapping[str, Any]) -> Manifest:
        """Write a RetrainRequest's status.

        Raises:
            Conflict: where the object is not at that resource version any more.
        """
        call = self._objects.patch_namespaced_custom_object_status(
            *REQUESTS[:2],
            self.namespace,
            REQUESTS.plural,
            name,
            {"metadata": {"resourceVersion": str(resource_version)}, "status": dict(status)},
            _content_type=MERGE_PATCH,
            _request_timeout=CALL_TIMEOUT_SECONDS,
        )
        return cast("Manifest", await answer_of(call))

    async def arm_ttl(self, job: str, seconds: int) -> Manifest:
        """Let Kubernetes delete a finished Job after some seconds."""
        return await self.patch(JOBS, job, {"spec": {"ttlSecondsAfterFinished": seconds}})

    async def end_job(self, job: str, replaced_by: str) -> Manifest:
        """Let Kubernetes end a running Job for a newer request; what its pod has done by then stands."""
        annotations = {names.ANNOTATION_REPLACED_BY: replaced_by}
        return await self.patch(
            JOBS, job, {"metadata": {"annotations": annotations}, "spec": {"activeDeadlineSeconds": 1}}
        )

    async def delete_request(self, name: str, uid: str, resource_version: int) -> None:
        """Delete a RetrainRequest, and with it what it owns.

        Raises:
            Conflict: where it is another one, or has changed.
            Gone: where it is not there.
        """
        call = self._objects.delete_namespaced_custom_object(
            *REQUESTS[:2],
            self.namespace,
            REQUESTS.plural,
            name,
            body=client.V1DeleteOptions(
                preconditions=client.V1Preconditions(uid=uid, resource_version=str(resource_version))
            ),
            _request_timeout=CALL_TIMEOUT_SECONDS,
        )
        await answer_of(call)

    async def read_config_map(self, name: str) -> Manifest:
        """Read a ConfigMap.

        Raises:
            Gone: where it is not there.
        """
        call = self._core.read_namespaced_config_map(name, self.namespace, _request_timeout=CALL_TIMEOUT_SECONDS)
        return cast("Manifest", self._core.api_client.sanitize_for_serialization(await answer_of(call)))

    async def create_config_map(self, manifest: Manifest) -> Manifest:
        """Create a ConfigMap.

        Raises:
            AlreadyExists: where the name is taken, perhaps by an earlier try of this very call.
        """
        call = self._core.create_namespaced_config_map(
            self.namespace, cast("Any", manifest), _request_timeout=CALL_TIMEOUT_SECONDS
        )
        return cast("Manifest", self._core.api_client.sanitize_for_serialization(await answer_of(call)))

    async def replace_config_map(self, manifest: Manifest) -> Manifest:
        """Replace a ConfigMap as it was read.

        Raises:
            Conflict: where it has changed since.
            Gone: where it is not there any more.
        """
        call = self._core.replace_namespaced_config_map(
            manifest["metadata"]["name"],
            self.namespace,
            cast("Any", manifest),  # plain JSON goes as it is
            _request_timeout=CALL_TIMEOUT_SECONDS,
        )
        return cast("Manifest", self._core.api_client.sanitize_for_serialization(await answer_of(call)))

    async def list_pods(self, request_uid: str | None = None) -> list[Manifest]:
        """List the pods of one RetrainRequest, or of all."""
        mine = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
        call = self._core.list_namespaced_pod(
            self.namespace,
            label_selector=f"{names.LABEL_REQUEST_UID}={request_uid}" if request_uid else mine,
            _request_timeout=CALL_TIMEOUT_SECONDS,
        )
        pods = await answer_of(call)
        return cast("list[Manifest]", self._core.api_client.sanitize_for_serialization(pods)["items"])

    async def read_log(self, pod: str, lines: int) -> str:
        """Read the last lines of a trainer's log, of these at most the last LOG_LIMIT_BYTES.

        Raises:
            Gone: where the pod is not there any more.
        """
        call = self._core.read_namespaced_pod_log_without_preload_content(
            pod,
            self.namespace,
            container=names.TRAINER_CONTAINER,
            tail_lines=lines,
            limit_bytes=LOG_LIMIT_BYTES,
            _request_timeout=LOG_TIMEOUT_SECONDS,
        )
        response = await answer_of(call)
        body: bytes = await answer_of(response.read())
        text = body.decode(errors="replace")
        if response.status >= 300:  # this call leaves it to us
            raise read_error(response.status, text)
        return text


def proxy_for(url: str) -> str | None:
    """Give the environment's proxy for an address: HTTPS_PROXY and NO_PROXY, as everywhere."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


@asynccontextmanager
async def connect(namespace: str, kubeconfig: str | None = None) -> AsyncIterator[Cluster]:
    """Connect with the pod's own service account, or with a kubeconfig (the current one) outside of a cluster.

    Raises:
        NoAccess: where there is neither.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # no types there
    except config.ConfigException:
        try:
            await config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise NoAccess(
                "This is no pod with a service account, and the kubeconfig (the file in KUBECONFIG, or ~/.kube/config) "
                f"cannot be used: {error}"
            ) from error
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.proxy = configuration.proxy or proxy_for(configuration.host)
    # Else each single call asks two threads for proxies and for a login in ~/.netrc.
    configuration.client_session_kwargs = {"trust_env": False}
    async with client.ApiClient(configuration) as api:
        yield Cluster(api, namespace)
