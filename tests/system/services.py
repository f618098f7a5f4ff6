"""Kafka, Redis and PostgreSQL through kubectl, without client libraries and open ports."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from tests.system.kubectl import Kubectl

KAFKA_SCRIPTS = "/opt/kafka/bin"
NULL = "<null>"


class KafkaServer:
    """One topic."""

    def __init__(self, kubectl: Kubectl, topic: str) -> None:
        self._kubectl = kubectl
        self.topic = topic

    def send(self, *values: str | None) -> None:
        """Send records. None is a tombstone."""
        producer = (
            f"{KAFKA_SCRIPTS}/kafka-console-producer.sh --bootstrap-server localhost:9092 "
            f"--topic {self.topic} --property null.marker='{NULL}' --producer-property"
            " max.request.size=2000000 "
            "--producer-property linger.ms=0 2>/dev/null || exit 1"
        )
        lines = "".join(f"{NULL if value is None else value}\n" for value in values)
        self._kubectl.execute("kafka-0", "sh", "-c", producer, stdin=lines)

    def create(self, partitions: int = 1) -> None:
        """Create the topic."""
        self._kubectl.execute(
            "kafka-0",
            f"{KAFKA_SCRIPTS}/kafka-topics.sh",
            *("--bootstrap-server", "localhost:9092", "--create", "--if-not-exists"),
            *("--topic", self.topic, "--partitions", str(partitions)),
        )


class Postgres:
    """One database."""

    def __init__(self, kubectl: Kubectl, database: str) -> None:
        self._kubectl = kubectl
        self.database = database

    def run(self, sql: str, stdin: str | None = None) -> str:
        """Run statements. Returns psql's output, one line per row.

        Args:
            sql: The statements.
            stdin: Further input of psql, such as rows for COPY.

        Returns:
            The output.
        """
        shell = (
            f'exec psql --username "$POSTGRES_USER" --dbname {self.database} --csv --tuples-only '
            + ("--quiet --set ON_ERROR_STOP=1 --file -")
        )
        return self._kubectl.execute(
            "postgres-0", "sh", "-c", shell, stdin=sql if stdin is None else sql + stdin
        )

    def rows(self, sql: str) -> list[list[str]]:
        """Run a query."""
        return list(csv.reader(io.StringIO(self.run(sql))))

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Load rows into a table.

        Args:
            table: The table.
            columns: The names of the columns.
            rows: The values in this order.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.run(
            f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv);\n",
            text.getvalue() + "\\.\n",
        )


class Redis:
    """One database of Redis."""

    def __init__(self, kubectl: Kubectl, number: int) -> None:
        self._kubectl = kubectl
        self.number = number

    def run(self, *command: str) -> str:
        """Run a command. Returns redis-cli's raw output."""
        return self._kubectl.execute(
            "redis-0", "redis-cli", "-n", str(self.number), "--raw", *command
        ).strip()
