"""Connects to the API server with a service account or a kubeconfig."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config

from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import NoClusterAccessError
from retraining_operator.kube.transport import Transport

CONNECTIONS = 32
"""Enough for the parallel writes of a burst. The client's default is one for each core."""


@asynccontextmanager
async def connect(namespace: str, kubeconfig: str | None = None) -> AsyncIterator[KubeClient]:
    """Connect with the pod's service account or, outside of a cluster, with a kubeconfig.

    Args:
        namespace: The namespace of all calls.
        kubeconfig: The path of a kubeconfig; None for the current one.

    Yields:
        The client.

    Raises:
        NoClusterAccessError: If there is neither.
    """
    configuration = await _load_configuration(kubeconfig)
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.proxy = configuration.proxy or find_proxy(configuration.host)
    # Otherwise each call asks two threads for proxies and for a login in ~/.netrc.
    configuration.client_session_kwargs = {"trust_env": False}
    async with ApiClient(configuration) as api:
        yield KubeClient(Transport(api), namespace)


def find_proxy(url: str) -> str | None:
    """Return the proxy for an address from HTTPS_PROXY and NO_PROXY, or None."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


async def _load_configuration(kubeconfig: str | None) -> Configuration:
    configuration = Configuration()
    try:
        # the client has no types here
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        try:
            # Imported late, because a pod does not need it.
            from kubernetes.aio.config.kube_config import load_kube_config  # noqa: PLC0415

            await load_kube_config(  # type: ignore[no-untyped-call]
                kubeconfig, client_configuration=configuration
            )
        except ConfigException as error:
            raise NoClusterAccessError(
                "This is not a pod with a service account, and the kubeconfig (the file in "
                f"KUBECONFIG, or ~/.kube/config) cannot be used: {error}"
            ) from error
    return configuration
