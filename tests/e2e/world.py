"""One installed release with its own topic, database and Redis database."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from retraining_operator.settings import LockedField
from tests.system import release
from tests.system.environment import Environment
from tests.system.kubectl import CommandError, Kubectl, wait_for
from tests.system.services import KafkaServer, Postgres, Redis
from tests.system.shuttle import COLUMNS

REDIS_DATABASES = range(1, 15)
"""Each world uses one. The demo uses database 0; the last database has the claims."""
CLAIMS, CLAIMED_SECONDS = 15, 3600
OPERATOR = "app.kubernetes.io/component=operator"
RUN_SECONDS = 180
LOCKED = (
    "SELECT count(*) FROM pg_locks"
    " WHERE mode = 'AccessExclusiveLock' AND relation = 'scored_events'::regclass"
)
RELEASE = (
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
    " WHERE query LIKE 'SELECT pg_sleep(%' AND datname = current_database()"
)
"""Other tests hold locks in other databases of the same server."""
Request = dict[str, Any]


@dataclass(frozen=True)
class ClusterWorld:
    """The product in its own namespace."""

    environment: Environment
    kubectl: Kubectl
    kafka: KafkaServer
    postgres: Postgres
    redis: Redis
    values: dict[str, Any]

    # What a person does

    def install(self, **changes: Any) -> None:
        """Install or upgrade the release with the test's values."""
        release.install(self.environment, self.kubectl.namespace, self.values | changes)

    def apply(self, name: str, **spec: Any) -> str:
        """Apply a RetrainRequest."""
        body = {
            "apiVersion": "retraining.dev/v1alpha1",
            "kind": "RetrainRequest",
            "metadata": {"name": name},
        }
        self.kubectl.apply({**body, "spec": spec})
        return name

    def load(self, *parts: Iterable[Sequence[object]]) -> None:
        """Replace the rows of scored_events."""
        self.postgres.run("TRUNCATE scored_events")
        self.postgres.copy("scored_events", COLUMNS, [row for part in parts for row in part])

    @contextmanager
    def held_events(self) -> Iterator[None]:
        """Lock the table of events, so that a trainer waits before it reads."""
        lock = (
            "BEGIN; LOCK TABLE scored_events IN ACCESS EXCLUSIVE MODE;"
            f" SELECT pg_sleep({2 * RUN_SECONDS});"
        )
        with ThreadPoolExecutor() as aside:
            held = aside.submit(self.postgres.run, lock)
            wait_for("the lock", lambda: self.postgres.rows(LOCKED) != [["0"]])
            try:
                yield
            finally:
                self.postgres.run(RELEASE)
                with suppress(CommandError):  # it was ended
                    held.result()

    def scale(self, service: str, replicas: int) -> None:
        """Scale one of the services, and wait until it is scaled."""
        services = self.environment.services
        services("scale", f"statefulset/{service}", f"--replicas={replicas}")
        gone = "--for=delete" if replicas == 0 else "--for=condition=Ready"
        wait_for(
            f"{service} with {replicas} pods",
            lambda: services("wait", gone, f"pod/{service}-0", "--timeout=60s"),
        )

    def stop_operator(self, *, force: bool) -> None:
        """Delete the operator's pod. Its Deployment starts another."""
        options = ["--grace-period=0", "--force"] if force else []
        self.kubectl("delete", "pod", "--selector", OPERATOR, *options)

    def wait_for_operator(self) -> None:
        """Wait until an operator is ready."""
        self.kubectl("rollout", "status", f"deployment/{release.DEPLOYMENT}", "--timeout=90s")

    # What a person sees

    def requests(self) -> dict[str, Request]:
        """Return all RetrainRequests by name."""
        return {item["metadata"]["name"]: item for item in self.kubectl.items("retrainrequests")}

    def jobs(self, request: str) -> list[dict[str, Any]]:
        """Return the training Jobs of one request, without Jobs of the task `decide`."""
        return self.kubectl.items(
            "jobs", f"retraining.dev/request={request},retraining.dev/task=train"
        )

    def wait_for_requests(self, count: int, seconds: float = 60) -> list[str]:
        """Wait until there are so many requests. Returns their names in order of arrival."""
        found = wait_for(
            f"{count} RetrainRequests",
            lambda: len(self.requests()) >= count and self.requests(),
            seconds,
        )
        return sorted(
            found, key=lambda name: found[name]["spec"].get("trigger", {}).get("offset", -1)
        )

    def condition(self, name: str, kind: str = "Succeeded") -> dict[str, str]:
        """Return one condition of a request, or an empty dict."""
        conditions = (
            self.kubectl.get("retrainrequest", name).get("status", {}).get("conditions", [])
        )
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def wait_for_end(self, name: str, seconds: float = RUN_SECONDS) -> Request:
        """Wait until a request has its outcome. Returns its status."""
        wait_for(
            f"the end of {name}",
            lambda: self.condition(name).get("status") in {"True", "False"},
            seconds,
        )
        status: Request = self.kubectl.get("retrainrequest", name)["status"]
        return status

    def wait_for_truth(self, name: str, kind: str, status: str, seconds: float = 60) -> None:
        """Wait until a condition of a request is True, False or Unknown."""
        wait_for(
            f"{kind}={status} of {name}",
            lambda: self.condition(name, kind).get("status") == status,
            seconds,
        )

    def wait_for_reason(self, name: str, reason: str, seconds: float = 60) -> None:
        """Wait until a condition of a request has a reason."""
        wait_for(
            f"{name} at {reason}", lambda: self.condition(name).get("reason") == reason, seconds
        )

    def versions(self) -> list[int]:
        """Return the versions of the audit trail, in order."""
        return [
            int(row[0])
            for row in self.postgres.rows("SELECT version FROM model_versions ORDER BY version")
        ]

    def metric(self, series: str) -> float:
        """Read one series of the leader's metrics."""
        metrics = wait_for("an operator that leads", self.read_leader_metrics, 60)
        return float(metrics[series])

    def read_leader_metrics(self) -> dict[str, str] | None:
        """Read the leader's metrics by series. Returns None while there is no leader."""
        for pod in self.kubectl.items("pods", OPERATOR):
            name = pod["metadata"]["name"]
            path = f"/api/v1/namespaces/{self.kubectl.namespace}/pods/{name}:8005/proxy/metrics"
            with suppress(CommandError):  # it may just be starting or ending
                lines = self.kubectl("get", "--raw", path).splitlines()
                metrics = {
                    series: value for series, _, value in (line.rpartition(" ") for line in lines)
                }
                if metrics.get("retraining_leader") == "1.0":
                    return metrics
        return None

    # What must hold after every test

    def check_guarantees(self) -> None:
        """Check that each request had at most one Job, and versions are without gaps."""
        requests = self.requests()
        for name, request in requests.items():
            jobs = self.jobs(name)
            assert len(jobs) == ("jobName" in request.get("status", {})), (
                f"{name} has {len(jobs)} Jobs"
            )
        promoted = [
            r["status"]["version"] for r in requests.values() if "version" in r.get("status", {})
        ]
        versions = self.versions()
        assert versions == list(range(1, len(versions) + 1)), f"gaps or duplicates: {versions}"
        assert sorted(promoted) == versions, (
            f"the status says {sorted(promoted)}, the audit trail {versions}"
        )
        live = self.redis.run("GET", "model_version")
        assert live == (str(versions[-1]) if versions else ""), (
            f"live is {live!r}, the audit trail says {versions}"
        )

    def clear(self) -> None:
        """Delete what a test has left."""
        self.kubectl("delete", "retrainrequests", "--all")
        wait_for(
            "all Jobs gone", lambda: not self.kubectl.items("jobs", "retraining.dev/request"), 90
        )
        self.postgres.run("TRUNCATE scored_events, model_versions, retraining_runs")
        self.redis.run("FLUSHDB")

    def remove(self) -> None:
        """Delete the release, its namespace, and the claim to its Redis database."""
        release.uninstall(self.environment, self.kubectl.namespace)
        self.kubectl("delete", "namespace", self.kubectl.namespace, "--wait=false")
        Redis(self.environment.services, CLAIMS).run("DEL", claim(self.redis.number))


def build_world(environment: Environment) -> ClusterWorld:
    """Create a namespace, a topic and a database for one session of tests."""
    mark = secrets.token_hex(4)
    kubectl = environment.kubectl.inside(f"e2e-{mark}")
    services = environment.services
    database = f"e2e_{mark}"
    Postgres(services, "postgres").run(f"CREATE DATABASE {database}")
    kubectl("create", "namespace", kubectl.namespace)
    redis = claim_redis(services, kubectl.namespace)
    urls = {
        "database": secret_url(services, "postgres", database),
        "redis": secret_url(services, "redis", str(redis.number)),
    }
    for name, url in urls.items():
        kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": {"url": url},
            }
        )
    topic = f"triggers-{mark}"
    kafka = KafkaServer(services, topic)
    kafka.create()
    values = {
        "kafka": {
            "bootstrapServers": f"kafka.{services.namespace}.svc:9092",
            "topic": topic,
            "groupId": topic,
        },
        "redis": {"existingSecret": "redis"},
        "database": {"existingSecret": "database"},
        # Small trees, short waits and the promotion policy `Reference`, which promotes every tie,
        # because these tests are not about the model.
        "trainer": {"preset": "reference", "forestHeight": 6, "databaseRetryDelaySeconds": 5},
        "job": {"resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}}},
        # Most tests are not about what a request may ask for.
        "requests": {"open": list(LockedField), "maxResources": {"nvidia.com/gpu": 1}},
    }
    return ClusterWorld(environment, kubectl, kafka, Postgres(services, database), redis, values)


def claim_redis(services: Kubectl, owner: str) -> Redis:
    """Claim one of Redis' databases for a session, because two sessions may run at once."""
    claims = Redis(services, CLAIMS)
    for number in REDIS_DATABASES:
        if claims.run("SET", claim(number), owner, "NX", "EX", str(CLAIMED_SECONDS)) == "OK":
            return Redis(services, number)
    raise AssertionError(
        f"Each of Redis' databases {REDIS_DATABASES} was claimed within the last hour."
    )


def claim(number: int) -> str:
    """Return the key with the owner of a Redis database."""
    return f"e2e:{number}"


def secret_url(services: Kubectl, name: str, database: str) -> str:
    """Return a service's URL with another database."""
    url = base64.b64decode(services.get("secret", name)["data"]["url"]).decode()
    return f"{url.rpartition('/')[0]}/{database}"
