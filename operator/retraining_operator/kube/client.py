"""The API server, and the only place that sees its client's errors. Every call is bounded in time.

A call that timed out may still have worked: callers repeat it and take "already exists" for what it
    is. The official client logs in, connects and sends; paths are built here and objects stay plain
    JSON, because its class for the core group alone takes a second to import.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config

from retraining_operator.api import names
from retraining_operator.api.kubernetes_errors import CLIENT_TIMEOUT, Answer, read_answer
from retraining_operator.api.pod import FAILED_CREATE
from retraining_operator.api.request import Manifest

CALL_TIMEOUT_SECONDS = 10
LAUNCH_TIMEOUT_SECONDS = 35
"""Of the creation of a Job: an admission webhook may take 30 s to answer, or to be given up by the API server."""
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
GONE = 410


class KubeError(Exception):
    """The API server did not do what was asked."""

    answer: Answer | None = None
    """What it answered, or that it did not answer in time; None if it could not be reached."""

    @property
    def said(self) -> str:
        """The API server's own sentence, as far as there is one."""
        return self._said or str(self)

    _said: str = ""


class ApiServerUnavailableError(KubeError):
    """It did not answer, or could not serve; the same call may succeed later."""


class NoClusterAccessError(KubeError):
    """It is not known where it is, or as whom to speak to it."""


class RequestRefusedError(KubeError):
    """It answered no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AlreadyExistsError(RequestRefusedError):
    """An object of that name exists."""


class ConflictError(RequestRefusedError):
    """The object has changed since it was read."""


class NotFoundError(RequestRefusedError):
    """The object, or its whole kind, is not there."""


class ForbiddenError(RequestRefusedError):
    """The service account may not do that, or a quota is used up."""


class ExpiredError(KubeError):
    """The API server does not know any more what has changed since that version."""


def unanswered(error: Exception) -> ApiServerUnavailableError:
    """Build the error for a call that has got no answer."""
    away = ApiServerUnavailableError(
        f"The API server did not answer: {type(error).__name__} {error}".strip()
    )
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
        away.answer = Answer(0, CLIENT_TIMEOUT)
    return away


def read_error(status: int, body: str) -> KubeError:
    """Read an error answer: its HTTP status and its body, a Status object."""
    try:
        content = json.loads(body)
        message, answer = str(content.get("message", body)), read_answer(status, content)
    except (ValueError, AttributeError):
        message, answer = body, Answer(status)
    error = kind_of(status, message, answer.reason)
    error.answer, error._said = answer, message
    return error


def kind_of(status: int, message: str, reason: str) -> KubeError:
    """Build the error of an answer."""
    if status not in REFUSALS:
        return ApiServerUnavailableError(f"The API server answered {status}: {message}")
    if status == 409:
        return (AlreadyExistsError if reason == "AlreadyExists" else ConflictError)(status, message)
    return {403: ForbiddenError, 404: NotFoundError}.get(status, RequestRefusedError)(
        status, message
    )


class ResourceKind(NamedTuple):
    """A kind of objects, as the API server's paths name it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str

    def path(self, namespace: str, name: str = "", part: str = "") -> str:
        """Build the path of the kind's objects in a namespace, of one of them, or of a part of one."""
        root = f"/apis/{self.group}" if self.group else "/api"
        words = [root, self.version, "namespaces", namespace, self.plural, name, part]
        return "/".join(word for word in words if word)


REQUESTS = ResourceKind(names.GROUP, names.VERSION, names.PLURAL)
JOBS = ResourceKind("batch", "v1", names.JOBS)
EVENTS = ResourceKind("events.k8s.io", "v1", "events")
LEASES = ResourceKind("coordination.k8s.io", "v1", "leases")
PODS = ResourceKind("", "v1", names.PODS)
CONFIG_MAPS = ResourceKind("", "v1", "configmaps")
REFUSAL_EVENTS = f"reason={FAILED_CREATE},regarding.kind=Job"
"""Selects the Events that say that the pod of a Job was refused."""
MINE = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"


@dataclass(frozen=True)
class Listing:
    """All objects of a kind at one moment."""

    items: list[Manifest]
    resource_version: int

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class KubeClient:
    """The calls that this operator makes, in its one namespace. Objects come and go as plain JSON.

    Args:
        api: the official client.
        namespace: of all objects.
    """

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self.api = api

    async def _send(  # noqa: PLR0913  # what an HTTP request consists of
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> aiohttp.ClientResponse:
        """Send one request and return the answer, whose body is still to be read.

        Args:
            method: the HTTP method.
            path: as `Kind.path` builds it.
            body: sent as JSON.
            query: the query's parameters.
            content_type: of the body.
            seconds: how long the whole call may take, the reading of the answer included.
        """
        request = await self.api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self.api.call_api(*request, _request_timeout=seconds, _preload_content=False)
        return cast("aiohttp.ClientResponse", answer.response)

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Any
    ) -> bytes:
        """Send one request and return the answer's body. The arguments are those of `_send`.

        Raises:
            KubeError: the API server did not answer, or answered with an error.
        """
        try:
            async with await self._send(method, path, body, **options) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from error
        if answer.status >= 300:
            raise read_error(answer.status, content.decode(errors="replace"))
        return content

    async def _object(
        self, method: str, path: str, body: Manifest | None = None, **options: Any
    ) -> Manifest:
        return read_object(await self._call(method, path, body, **options))

    def list_requests(self) -> AsyncIterator[Listing]:
        """List all RetrainRequests, page by page: thousands of them at once would take hundreds of MiB."""
        return self._pages(REQUESTS, "")

    async def list_jobs(self) -> Listing:
        """List the Jobs that this operator has made."""
        pages = [page async for page in self._pages(JOBS, MINE)]
        return Listing([body for page in pages for body in page], pages[-1].resource_version)

    async def list_refusals(self) -> list[Manifest]:
        """List the Events that say that the pod of a Job was refused."""
        answer = await self._object(
            "GET", EVENTS.path(self.namespace), query={"fieldSelector": REFUSAL_EVENTS}
        )
        return cast("list[Manifest]", answer["items"])

    @asynccontextmanager
    async def watch(
        self, kind: ResourceKind, resource_version: int, seconds: int
    ) -> AsyncIterator[AsyncGenerator[Manifest, None]]:
        """Watch what has changed since a version, and what changes within some seconds.

        Args:
            kind: the objects' kind.
            resource_version: what has changed since then comes first, and at once.
            seconds: when the API server ends the watch.

        Yields:
            Events with `type` and `object`, as the API server sends them; it has accepted the
            watch.

        Raises:
            ExpiredError: the version is too old.
            KubeError: the API server did not answer, or the watch broke.
        """
        query = {
            "watch": "true",
            "resourceVersion": str(resource_version),
            "timeoutSeconds": str(seconds),
        }
        limit = seconds + CALL_TIMEOUT_SECONDS
        try:
            async with await self._send(
                "GET", kind.path(self.namespace), query=query, seconds=limit
            ) as answer:
                if answer.status >= 300:
                    raise read_watch_error(
                        answer.status, (await answer.read()).decode(errors="replace")
                    )
                async with aclosing(read_events(answer)) as events:
                    yield events
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from error

    async def _pages(self, kind: ResourceKind, selector: str) -> AsyncIterator[Listing]:
        query = {"labelSelector": selector} if selector else {}
        query["limit"] = str(PAGE_OBJECTS)
        while True:
            answer = await self._object("GET", kind.path(self.namespace), query=query)
            yield Listing(answer["items"], int(answer["metadata"]["resourceVersion"]))
            query["continue"] = answer["metadata"].get("continue", "")
            if not query["continue"]:
                return

    async def create(
        self, kind: ResourceKind, manifest: Manifest, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Create an object and return it as the API server stored it.

        Args:
            kind: the object's kind.
            manifest: the object.
            seconds: how long the call may take.

        Raises:
            AlreadyExistsError: where the name is taken, perhaps by an earlier try of this very call.
        """
        return await self._object("POST", kind.path(self.namespace), manifest, seconds=seconds)

    async def read(
        self, kind: ResourceKind, name: str, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Read one object.

        Args:
            kind: the object's kind.
            name: the object's name.
            seconds: how long the call may take.

        Raises:
            Gone: where it is not there.
        """
        return await self._object("GET", kind.path(self.namespace, name), seconds=seconds)

    async def patch(
        self, kind: ResourceKind, name: str, change: Manifest, seconds: float = CALL_TIMEOUT_SECONDS
    ) -> Manifest:
        """Change an object by a merge patch and return it.

        Args:
            kind: the object's kind.
            name: the object's name.
            change: the patch.
            seconds: how long the call may take.

        Raises:
            ConflictError: where the change names a resource version that the object is not at any more.
            Gone: where it is not there.
        """
        path = kind.path(self.namespace, name)
        return await self._object("PATCH", path, change, content_type=MERGE_PATCH, seconds=seconds)

    async def patch_status(
        self, name: str, resource_version: int, status: Mapping[str, Any]
    ) -> Manifest:
        """Write a RetrainRequest's status and return the object.

        Args:
            name: the object's name.
            resource_version: the version that the change is made to.
            status: the fields that change.

        Raises:
            ConflictError: where the object is not at that resource version any more.
        """
        change = {"metadata": {"resourceVersion": str(resource_version)}, "status": dict(status)}
        path = REQUESTS.path(self.namespace, name, "status")
        return await self._object("PATCH", path, change, content_type=MERGE_PATCH)

    async def arm_ttl(self, job: str, seconds: int) -> Manifest:
        """Let Kubernetes delete a finished Job after some seconds."""
        return await self.patch(JOBS, job, {"spec": {"ttlSecondsAfterFinished": seconds}})

    async def end_job(self, job: str, annotations: Mapping[str, str]) -> Manifest:
        """Have Kubernetes end a running Job; what its pod has done by then stands.

        Args:
            job: the Job's name.
            annotations: added to it, to say why.
        """
        return await self.patch(
            JOBS,
            job,
            {"metadata": {"annotations": dict(annotations)}, "spec": {"activeDeadlineSeconds": 1}},
        )

    async def delete_pod(self, name: str, uid: str) -> None:
        """Delete one pod of a Job.

        Args:
            name: the pod's name.
            uid: its uid: another pod of that name stays.

        Raises:
            ConflictError: where it is another one.
            Gone: where it is not there.
        """
        await self._call("DELETE", PODS.path(self.namespace, name), {"preconditions": {"uid": uid}})

    async def delete_request(self, name: str, uid: str, resource_version: int) -> None:
        """Delete a RetrainRequest, and with it what it owns.

        Args:
            name: the object's name.
            uid: its uid: one that was made again under the same name stays.
            resource_version: one that has changed since stays.

        Raises:
            ConflictError: where it is another one, or has changed.
            Gone: where it is not there.
        """
        options = {"preconditions": {"uid": uid, "resourceVersion": str(resource_version)}}
        await self._call("DELETE", REQUESTS.path(self.namespace, name), options)

    async def read_config_map(self, name: str) -> Manifest:
        """Read a ConfigMap.

        Raises:
            Gone: where it is not there.
        """
        return await self.read(CONFIG_MAPS, name)

    async def create_config_map(self, manifest: Manifest) -> Manifest:
        """Create a ConfigMap.

        Raises:
            AlreadyExistsError: where the name is taken, perhaps by an earlier try of this very call.
        """
        return await self.create(CONFIG_MAPS, manifest)

    async def replace_config_map(self, manifest: Manifest) -> Manifest:
        """Replace a ConfigMap as it was read.

        Raises:
            ConflictError: where it has changed since.
            Gone: where it is not there any more.
        """
        return await self._object(
            "PUT", CONFIG_MAPS.path(self.namespace, manifest["metadata"]["name"]), manifest
        )

    async def list_pods(self, request_uid: str | None = None) -> list[Manifest]:
        """List the pods of one RetrainRequest, or of all."""
        selector = f"{names.LABEL_REQUEST_UID}={request_uid}" if request_uid else MINE
        answer = await self._object(
            "GET", PODS.path(self.namespace), query={"labelSelector": selector}
        )
        return cast("list[Manifest]", answer["items"])

    async def find_pod(self, name: str, seconds: float = CALL_TIMEOUT_SECONDS) -> Manifest | None:
        """Return a pod by its name, None if there is none. Needs no other right than to list pods.

        Args:
            name: the pod's name.
            seconds: how long the call may take.
        """
        query = {"fieldSelector": f"metadata.name={name}"}
        answer = await self._object("GET", PODS.path(self.namespace), query=query, seconds=seconds)
        return next(iter(answer["items"]), None)

    async def read_log(self, pod: str, lines: int) -> str:
        """Read the last lines of a trainer's log, of these at most the last LOG_LIMIT_BYTES.

        Args:
            pod: the pod's name.
            lines: how many.

        Raises:
            Gone: where the pod is not there any more.
        """
        query = {
            "container": names.TRAINER_CONTAINER,
            "tailLines": str(lines),
            "limitBytes": str(LOG_LIMIT_BYTES),
        }
        path = PODS.path(self.namespace, pod, "log")
        return (await self._call("GET", path, query=query, seconds=LOG_TIMEOUT_SECONDS)).decode(
            errors="replace"
        )


async def read_events(answer: aiohttp.ClientResponse) -> AsyncGenerator[Manifest, None]:
    """Read a watch's events.

    Raises:
        ExpiredError: the version is too old.
        KubeError: the API server has ended the watch with an error.
    """
    rest = b""
    async for (
        chunk
    ) in answer.content.iter_any():  # a line may be longer than what aiohttp reads as one
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            event = read_object(line)
            if event.get("type") == "ERROR":
                raise read_watch_error(event["object"].get("code", 0), json.dumps(event["object"]))
            yield event


def read_watch_error(status: int, body: str) -> KubeError:
    """Read why a watch was refused or has ended.

    Args:
        status: the HTTP status.
        body: a Status object.
    """
    error = read_error(status, body)
    return ExpiredError(str(error)) if status == GONE else error


def read_object(body: bytes) -> Manifest:
    """Parse an answer's body.

    Raises:
        ApiServerUnavailableError: it is no JSON object; a proxy may have answered in the API server's place.
    """
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ApiServerUnavailableError(
            f"The API server answered without JSON: {body[:200].decode(errors='replace')}"
        )
    return found


def proxy_for(url: str) -> str | None:
    """Give the environment's proxy for an address: HTTPS_PROXY and NO_PROXY, as everywhere."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


@asynccontextmanager
async def connect(namespace: str, kubeconfig: str | None = None) -> AsyncIterator[KubeClient]:
    """Connect with the pod's own service account, or with a kubeconfig (the current one) outside of a cluster.

    Raises:
        NoClusterAccessError: where there is neither.
    """
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # no types there
    except ConfigException:
        try:
            from kubernetes.aio.config.kube_config import load_kube_config  # noqa: PLC0415  # a pod has no need of it

            await load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise NoClusterAccessError(
                "This is no pod with a service account, and the kubeconfig (the file in KUBECONFIG, or ~/.kube/config) "
                f"cannot be used: {error}"
            ) from error
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.proxy = configuration.proxy or proxy_for(configuration.host)
    # Else each single call asks two threads for proxies and for a login in ~/.netrc.
    configuration.client_session_kwargs = {"trust_env": False}
    async with ApiClient(configuration) as api:
        yield KubeClient(api, namespace)
