"""Only one replica leads at a time, and even two leaders at once create nothing twice."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from retraining_operator.composition import watch
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from retraining_operator.settings import LeaderElection, Settings
from retraining_operator.watch import health
from tests.integration.operator.apiserver import proxy_to_apiserver
from tests.integration.operator.parts import (
    OperatorParts,
    build_elector,
    build_intake,
    build_reconciler,
    populate,
)
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl

SHORT = LeaderElection(
    lease_duration_seconds=4, renew_deadline_seconds=2.5, retry_period_seconds=0.5
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"leader_election": SHORT})


class Replicas:
    """Electors whose leaders write down when they act."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.acts: list[tuple[str, float]] = []
        self.running: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, cluster: KubeClient) -> asyncio.Task[None]:
        elector = build_elector(cluster, self.settings.leader_election, name)
        self.running[name] = asyncio.create_task(elector.run(self._acting(name)))
        return self.running[name]

    def _acting(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def act() -> None:
            while True:
                self.acts.append((name, time.monotonic()))
                await asyncio.sleep(0.01)

        return act

    async def acting(self, name: str) -> None:
        async with asyncio.timeout(20):
            while not any(actor == name for actor, _ in self.acts):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    @property
    def leaders_in_order(self) -> list[str]:
        """The leaders in the order of time, each once for all its actions in a row."""
        actors = [name for name, _ in self.acts]
        return [
            actor for actor, before in zip(actors, [None, *actors], strict=False) if actor != before
        ]

    async def stop(self, name: str) -> None:
        self.running[name].cancel()
        await asyncio.wait([self.running[name]])


def lease(namespace: Kubectl) -> dict[str, Any]:
    spec: dict[str, Any] = namespace.get("lease", "retraining-operator")["spec"]
    return spec


async def test_released_lease_is_taken_at_once(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    long = settings.model_copy(update={"leader_election": LeaderElection(retry_period_seconds=0.5)})
    replicas = Replicas(long)
    replicas.start("a", cluster)
    await replicas.acting("a")
    replicas.start("b", cluster)
    await asyncio.sleep(0.5)
    await replicas.stop("a")
    async with asyncio.timeout(long.leader_election.lease_duration_seconds / 2):
        await replicas.acting("b")
    assert (lease(namespace)["holderIdentity"], lease(namespace)["leaseTransitions"]) == ("b_1", 1)
    await replicas.stop("b")
    assert replicas.leaders_in_order == ["a", "b"]
    assert not lease(namespace).get("holderIdentity")


def a_pod(namespace: Kubectl, name: str) -> None:
    """Create a pod without a node, and write to its status that it runs, as the kubelet would."""
    container = {"name": "operator", "image": "localhost/none:none"}
    spec = {"containers": [container], "nodeSelector": {"no": "node"}}
    namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    say(namespace, name, {"running": {"startedAt": "2026-01-01T00:00:00Z"}})


def say(namespace: Kubectl, pod: str, state: dict[str, Any]) -> None:
    fields = {"image": "none", "imageID": "", "ready": False, "restartCount": 0}
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": "operator", "state": state, **fields}],
    }
    patch = json.dumps({"status": status})
    namespace("patch", "pod", pod, "--subresource=status", "--type=merge", "--patch", patch)


@pytest.mark.parametrize("end", ["killed", "deleted by force"])
async def test_standby_does_not_wait_for_a_leader_whose_pod_has_ended(
    namespace: Kubectl,
    cluster: KubeClient,
    settings: Settings,
    end: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = settings.model_copy(update={"leader_election": LeaderElection(retry_period_seconds=0.5)})
    await asyncio.to_thread(a_pod, namespace, "a")
    replicas = Replicas(long)
    async with connect(settings.namespace, str(STATE / "kubeconfig")) as of_a:
        replicas.start("a", of_a)
        await replicas.acting("a")
        monkeypatch.setattr(
            of_a, "patch", silence
        )  # a process that was killed neither renews nor gives back
        replicas.start("b", cluster)
        await asyncio.sleep(1.5)
        assert replicas.leaders_in_order == ["a"]  # it is silent, but it runs
        if end == "killed":
            await asyncio.to_thread(say, namespace, "a", {"terminated": {"exitCode": 137}})
        else:
            await asyncio.to_thread(namespace, "delete", "pod", "a", "--force", "--grace-period=0")
        async with asyncio.timeout(long.leader_election.lease_duration_seconds / 3):
            await replicas.acting("b")
        for name in ("b", "a"):
            replicas.running[name].cancel()
        await asyncio.wait(replicas.running.values(), timeout=5)


async def test_lease_is_released_after_a_cancelled_renewal(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas = Replicas(settings)
    replicas.start("a", cluster)
    await replicas.acting("a")
    patch, answered = cluster.patch, asyncio.Event()

    async def late(*arguments: Any) -> Any:
        body = await patch(*arguments)
        if not answered.is_set():
            answered.set()
            await forever()  # the API server has stored it, and its answer never comes
        return body

    monkeypatch.setattr(cluster, "patch", late)
    await answered.wait()
    await replicas.stop("a")
    assert not lease(namespace).get("holderIdentity")


async def test_disconnected_leader_stops_before_the_next_one_acts(
    cluster: KubeClient, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replicas = Replicas(settings)
    async with (
        proxy_to_apiserver(tmp_path) as proxy,
        connect(settings.namespace, str(proxy.kubeconfig)) as through_proxy,
    ):
        replicas.start("a", through_proxy)
        await replicas.acting("a")
        replicas.start("b", cluster)
        await asyncio.sleep(0.5)
        proxy.cut()
        await replicas.acting("b")
        await asyncio.sleep(0.5)
        assert replicas.leaders_in_order == ["a", "b"]
        assert "could not be renewed" in caplog.text
        assert "a" in replicas.running  # it stands by, and takes its turn again once it can
        await replicas.stop("b")
        proxy.unblock()
        replicas.acts.clear()
        await replicas.acting("a")
        await replicas.stop("a")


async def test_only_one_of_many_takes_a_free_lease(cluster: KubeClient, settings: Settings) -> None:
    replicas = Replicas(settings)
    replicas.start("former", cluster)
    await replicas.acting("former")
    await replicas.stop("former")
    for number in range(6):
        replicas.start(f"r{number}", cluster)
    await asyncio.sleep(2)
    assert len(replicas.leaders_in_order) == 2
    for name in replicas.running:
        await replicas.stop(name)


async def test_two_leaders_at_once_create_no_second_job(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    free = settings.model_copy(
        update={
            "leader_election": LeaderElection(enabled=False),
            "triggers": settings.triggers.model_copy(update={"max_concurrent": 100}),
        }
    )
    record = SimpleNamespace(value=b"{}", timestamp=1_750_000_000_123, topic="drift", partition=0)
    records: list[Any] = [SimpleNamespace(**vars(record), offset=offset) for offset in range(15)]

    both_know = asyncio.Barrier(2)

    async def act() -> None:
        parts = OperatorParts(free)
        reconciler = build_reconciler(parts, cluster)
        await build_intake(parts, cluster).accept(records, None)
        await populate(parts, cluster)
        await both_know.wait()
        running = asyncio.create_task(reconciler.run())
        while len(await cluster.list_jobs()) < len(records):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # time to do too much
        running.cancel()
        await asyncio.wait([running])

    async with asyncio.timeout(30):
        await asyncio.gather(act(), act())
    requests = {item["metadata"]["uid"] for item in namespace.items("retrainrequests")}
    owners = Counter(
        job["metadata"]["ownerReferences"][0]["uid"] for job in namespace.items("jobs")
    )
    assert owners == dict.fromkeys(requests, 1)
    assert len(requests) == len(records)


async def test_silently_dead_watch_is_detected(
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "MAX_DELAY_SECONDS", 2)
    elector = build_elector(cluster, parts.settings.leader_election, "a", parts.cache.watch_health)
    trouble = parts.cache.watch_health.describe_problem
    async with proxy_to_apiserver(tmp_path) as proxy, asyncio.timeout(40):
        monkeypatch.setenv("KUBECONFIG", str(proxy.kubeconfig))
        running = [
            elector.run(forever),
            watch(parts.settings, parts.cache, asyncio.Event()),
        ]
        tasks = [asyncio.create_task(part) for part in running]
        namespace.apply(
            {
                "apiVersion": "retraining.dev/v1alpha1",
                "kind": "RetrainRequest",
                "metadata": {"name": "a"},
                "spec": {},
            }
        )
        while not parts.cache.requests or trouble():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        proxy.freeze()
        while not trouble():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert "the watch of leases" in (trouble() or "")
        assert elector.is_leading  # the API server answers all the while
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def silence(*_: Any) -> None:
    await forever()


async def forever() -> None:
    await asyncio.Event().wait()
