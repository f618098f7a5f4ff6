"""Random input through real Kafka and a real API server is accepted, or refused with one line."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from retraining_operator.api.job_container import InvalidRequestError
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.request import Manifest, read_request
from retraining_operator.contract import to_line
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import CONNECTIONS
from retraining_operator.kube.errors import RequestRefusedError
from retraining_operator.kube.resources import JOBS, REQUESTS, ResourceKind
from retraining_operator.observability.metrics import ACCEPTED
from retraining_operator.settings import Settings
from tests.integration.operator.parts import OperatorParts, build_intake
from tests.integration.operator.test_intake import count
from tests.system.endpoints import broker
from tests.system.kubectl import Kubectl
from tests.system.random_input import drawn, flaw, plausible_specs, records, spoilt_specs

RECORDS = 1200
SPECS = 800


@pytest.fixture
def received() -> Iterator[list[ConsumerRecord]]:
    """Random records as Kafka returns them."""
    topic, server = f"it-{uuid.uuid4().hex[:8]}", broker()
    producer = KafkaProducer(bootstrap_servers=server, linger_ms=5)
    for value in drawn(records, RECORDS):
        producer.send(topic, value, key=None if value else b"tombstone")
    producer.flush()
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=server, auto_offset_reset="earliest", group_id=None
    )
    found: list[ConsumerRecord] = []
    while len(found) < RECORDS:
        for batch in consumer.poll(1000).values():
            found.extend(batch)
    yield found
    consumer.close()


async def test_every_record_becomes_a_request_or_one_error_message(
    received: list[ConsumerRecord],
    namespace: Kubectl,
    cluster: KubeClient,
    parts: OperatorParts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    intake = build_intake(parts, cluster)
    with caplog.at_level(logging.INFO, "retraining_operator"):
        for start in range(0, RECORDS, 400):
            await intake.accept(received[start : start + 400], "made-once")
    refusals = [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING]
    assert [(line, flaw(line)) for line in refusals if flaw(line)] == []
    accepted = namespace("get", "retrainrequests", "--output", "name").splitlines()
    assert len(accepted) + len(refusals) == RECORDS
    assert len(accepted) == count(parts, ACCEPTED) > 0


async def test_every_spec_becomes_a_job_or_one_error_message(
    cluster: KubeClient, settings: Settings
) -> None:
    specs = drawn(st.one_of(plausible_specs, spoilt_specs), SPECS)
    body = {"apiVersion": "retraining.dev/v1alpha1", "kind": "RetrainRequest"}
    places, refusals, jobs = asyncio.Semaphore(CONNECTIONS), [], []

    async def follow(number: int, spec: Any) -> None:
        try:
            async with places:
                metadata = {"name": f"wild-{number}"}
                stored = await validate_by_dry_run(
                    cluster, REQUESTS, {**body, "metadata": metadata, "spec": spec}
                )
            request = read_request(
                {**stored, "metadata": {**stored["metadata"], "resourceVersion": "1"}}
            )
            assert request.malformed is None, f"the CRD takes what cannot be read: {spec}"
            async with places:
                jobs.append(await validate_by_dry_run(cluster, JOBS, build_job(request, settings)))
        except (RequestRefusedError, InvalidRequestError) as error:
            refusals.append((str(error), flaw(to_line(str(error)))))  # the form of a condition

    await asyncio.gather(*(follow(number, spec) for number, spec in enumerate(specs)))
    assert [refusal for refusal in refusals if refusal[1]] == []
    assert len(jobs) + len(refusals) == SPECS
    assert jobs


async def validate_by_dry_run(
    cluster: KubeClient, kind: ResourceKind, manifest: Manifest
) -> Manifest:
    """Validate an object at the API server, in a dry run."""
    return await cluster.transport.request_object(
        "POST", kind.path(cluster.namespace), manifest, query={"dryRun": "All"}
    )
