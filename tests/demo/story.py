"""The parts of the demo, in order. Each part can be repeated after an earlier run."""

from __future__ import annotations

import json
from typing import Any

from tests.demo.screen import Screen
from tests.system import release, shuttle
from tests.system.environment import ROOT, STATE, Environment
from tests.system.kubectl import wait_for
from tests.system.services import KafkaServer, Postgres, Redis

TRIGGER = {"reason": "drift_detected", "drift_score": 0.31}
EXAMPLE = ROOT / "docs" / "examples" / "retrainrequest.yaml"
READER = ROOT / "docs" / "examples" / "reader.py"
RUN_SECONDS = 300
PLAIN_NAME = "not-calibrated"
PLAIN = {
    "apiVersion": "retraining.dev/v1alpha1",
    "kind": "RetrainRequest",
    "metadata": {"name": PLAIN_NAME},
    "spec": {"reason": "the model of the old service", "calibration": "None", "dryRun": True},
}
"""Trains as the old service did, and publishes nothing."""
GAIN = """
    SELECT model,
        to_char(100 * (facts #>> '{metrics,combined,alert_rate}')::float, 'FM990.0') || ' %',
        to_char((facts ->> 'threshold_precision')::float, 'FM0.000'),
        to_char((facts ->> 'threshold_recall')::float, 'FM0.000'),
        to_char((facts #>> '{metrics,combined,average_precision}')::float, 'FM0.000')
    FROM (SELECT evidence FROM retraining_runs WHERE request LIKE '%/not-calibrated'
          ORDER BY finished_at DESC LIMIT 1) AS run,
        LATERAL (VALUES (1, 'not calibrated', evidence -> 'challenger'),
                        (2, 'live, calibrated', evidence -> 'champion'))
            AS one (number, model, facts)
    ORDER BY number
"""
"""Both models of the run without a calibration, from its evidence."""


class Story:
    """The demo on one cluster.

    Args:
        environment: The cluster, its tools and images.
        screen: Prints what happens.
    """

    def __init__(self, environment: Environment, screen: Screen) -> None:
        self._environment = environment
        self._screen = screen
        self._kubectl = environment.services
        self._kafka = KafkaServer(self._kubectl, "retraining-triggers")
        self._postgres = Postgres(self._kubectl, "retraining")
        self._redis = Redis(self._kubectl, 0)

    def run(self) -> None:
        """Run all parts."""
        self._screen.heading("The operator and its data")
        if self._environment.context:
            self.install_services(self._environment.context)
        self.install()
        self.load_events()
        self._screen.heading("1. A drift trigger on the topic retraining-triggers")
        first = self.send_trigger()
        self._screen.heading("2. A RetrainRequest applied by hand")
        second = self.apply_request()
        self._screen.heading("3. The results of both")
        self.show(first, second)
        self._screen.heading("4. The live scoring service reads the model")
        self.read_model()
        self._screen.heading("5. What the calibration of the model wins")
        self.compare_with_plain()
        self._screen.heading("Try next")
        self.suggest(first)

    def install_services(self, context: str) -> None:
        """Install Kafka, Redis and PostgreSQL in a cluster of the user."""
        namespace = self._kubectl.namespace
        self._screen.say(
            f"Using your cluster: kubectl's current context {context}, namespace {namespace}."
        )
        with self._screen.step("Installing Kafka, Redis and PostgreSQL with Helm"):
            release.install_services(self._environment, namespace)

    def install(self) -> None:
        """Install the chart with the three values it needs."""
        with self._screen.step(f"Creating the topic {self._kafka.topic}"):
            self._kafka.create()
        with self._screen.step("Installing the operator with Helm"):
            namespace = self._kubectl.namespace
            values = {
                "kafka": {"bootstrapServers": f"kafka.{namespace}.svc:9092"},
                "redis": {"existingSecret": "redis"},
                "database": {"existingSecret": "postgres"},
                # Shuttle has no amount, and 7 % of its readings are anomalies.
                "trainer": {"deviationFeature": "f1", "alertBudget": 0.07},
            }
            release.install(self._environment, namespace, values)

    def load_events(self) -> None:
        """Load the Shuttle data set into scored_events, if it is not there."""
        rows = list(shuttle.rows())
        if self._postgres.rows("SELECT count(*) FROM scored_events") == [[str(len(rows))]]:
            self._screen.say(f"scored_events already has Shuttle's {len(rows):,} events.")
            return
        with self._screen.step(f"Loading Shuttle's {len(rows):,} events into scored_events"):
            self._postgres.run("TRUNCATE scored_events")
            self._postgres.copy("scored_events", shuttle.COLUMNS, rows)

    def send_trigger(self) -> str:
        """Send one record and wait for its run."""
        before = {item["metadata"]["name"] for item in self._kubectl.items("retrainrequests")}
        with self._screen.step(f"Sending {json.dumps(TRIGGER)}"):
            self._kafka.send(json.dumps(TRIGGER))

        def appeared() -> str | None:
            names = [item["metadata"]["name"] for item in self._kubectl.items("retrainrequests")]
            return next((name for name in names if name not in before), None)

        name = str(wait_for("the trigger's RetrainRequest", appeared, 60))
        self._screen.say(f"The operator created the RetrainRequest {name}.")
        self.wait_for_end(name)
        return name

    def apply_request(self) -> str:
        """Apply the example and wait for its run."""
        name: str = json.loads(
            self._kubectl(
                "create", "--dry-run=client", "--output", "json", "--filename", str(EXAMPLE)
            )
        )["metadata"]["name"]
        self._kubectl("delete", "retrainrequest", name, "--ignore-not-found")
        output = self._kubectl("apply", "--filename", str(EXAMPLE))
        self._screen.show(f"kubectl apply -f {EXAMPLE.relative_to(ROOT)}", output)
        self.wait_for_end(name)
        return name

    def wait_for_end(self, name: str) -> dict[str, Any]:
        """Wait for the outcome of the request and print it."""

        def ended() -> dict[str, Any] | None:
            conditions = (
                self._kubectl.get("retrainrequest", name).get("status", {}).get("conditions", [])
            )
            return next(
                (c for c in conditions if c["type"] == "Succeeded" and c["status"] != "Unknown"),
                None,
            )

        with self._screen.step("Training, evaluating, publishing"):
            condition: dict[str, Any] = wait_for(f"the outcome of {name}", ended, RUN_SECONDS)
        self._screen.say(f"{condition['reason']}: {condition['message']}")
        return condition

    def show(self, first: str, second: str) -> None:
        """Print all requests, one in full, a trainer's log, the audit rows and the live version.

        Args:
            first: The name of the record's request.
            second: The name of the applied request.
        """
        shown = self._screen.show
        shown("kubectl get rtr", self._kubectl("get", "rtr"))
        shown(f"kubectl describe rtr {second}", self._kubectl("describe", "rtr", second))
        selector = f"retraining.dev/request={first}"
        shown(
            f"kubectl logs -l {selector}",
            self._kubectl("logs", "--selector", selector, "--tail", "100"),
        )
        rows = (
            "SELECT version, trained_at, trigger_reason, precision_score, n_samples"
            " FROM model_versions"
        )
        shown(f"psql: {rows}", self._postgres.run(f"{rows} ORDER BY trained_at DESC LIMIT 5"))
        shown("redis-cli get model_version", self._redis.run("GET", "model_version"))

    def read_model(self) -> None:
        """Read the live model as a scoring service does, in a separate pod."""
        with self._screen.step("Starting the reader"):
            output = self.run_reader()
        self._screen.show(f"python {READER.relative_to(ROOT)}", output)

    def compare_with_plain(self) -> None:
        """Evaluate a model without a calibration against the live one, and print both."""
        self._kubectl("delete", "retrainrequest", PLAIN_NAME, "--ignore-not-found")
        output = self._kubectl.apply(PLAIN)
        self._screen.show("kubectl apply -f -  # spec.calibration: None, spec.dryRun: true", output)
        self.wait_for_end(PLAIN_NAME)
        rows = self._postgres.rows(GAIN)
        heads = ["model", "alerts", "precision", "recall", "average precision"]
        self._screen.say("The hold-out at the live threshold of 0.7, with the reader's formula:")
        for row in [heads, *rows]:
            self._screen.say("  " + "".join(f"{cell:<20}" for cell in row).rstrip())

    def run_reader(self) -> str:
        """Run the example reader. Returns its output."""
        name = "reader"
        self._kubectl("delete", "pod,configmap", name, "--ignore-not-found", "--grace-period", "0")
        self._kubectl("create", "configmap", name, f"--from-file=reader.py={READER}")
        secrets = (("REDIS_URL", "redis"), ("DATABASE_URL", "postgres"))
        self._kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": name,
                            "image": self._environment.images["job"],
                            "command": ["python", "/reader/reader.py"],
                            "env": [
                                {
                                    "name": variable,
                                    "valueFrom": {"secretKeyRef": {"name": secret, "key": "url"}},
                                }
                                for variable, secret in secrets
                            ],
                            "volumeMounts": [{"name": name, "mountPath": "/reader"}],
                        }
                    ],
                    "volumes": [{"name": name, "configMap": {"name": name}}],
                },
            }
        )
        done = ("Succeeded", "Failed")
        wait_for("the reader", lambda: self._kubectl.get("pod", name)["status"]["phase"] in done)
        output = self._kubectl("logs", name)
        self._kubectl("delete", "pod,configmap", name, "--grace-period", "0")
        return output

    def suggest(self, first: str) -> None:
        """Print a few commands to try."""
        kubectl = self._kubectl
        if kubectl.kubeconfig:
            tools, config = (STATE / "bin").relative_to(ROOT), kubectl.kubeconfig.relative_to(ROOT)
            self._screen.say(f"  export PATH=$PWD/{tools}:$PATH KUBECONFIG=$PWD/{config}")
        self._screen.say(f"""  kubectl config set-context --current --namespace {kubectl.namespace}
  kubectl get rtr --watch
  kubectl describe rtr {first}
  kubectl logs -l retraining.dev/request={first} --tail -1
  kubectl logs deploy/{release.DEPLOYMENT}
  kubectl port-forward deploy/{release.DEPLOYMENT} 8005 &
  curl -s localhost:8005/metrics | grep retraining
  kubectl create -f - <<< '{{"apiVersion": "retraining.dev/v1alpha1", "kind": "RetrainRequest",\
 "metadata": {{"generateName": "mine-"}},\
 "spec": {{"reason": "curious", "rows": 5000, "dryRun": true}}}}'
  {self.cleanup_command()}""")

    def cleanup_command(self) -> str:
        """Return the command that removes everything."""
        if self._environment.context:
            return f"kubectl delete namespace {self._kubectl.namespace}"
        return "make demo-down"
