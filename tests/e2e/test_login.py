"""Triggers from a broker that asks for TLS and a login: consumer, dead letters and replay, and the password nowhere."""

from tests.e2e.secure_kafka import MECHANISM, PASSWORD, USER, secret, secure_kafka
from tests.e2e.test_outcomes import load_good
from tests.e2e.world import OPERATOR, World
from tests.system import release
from tests.system.kubectl import wait_for

TOPIC, DEAD = "secure-triggers", "secure-triggers-dead"
SPAN = ("--partition", "0", "--from-offset", "0", "--to-offset", "1")


def test_records_come_by_tls_and_login(world: World) -> None:
    load_good(world)
    with secure_kafka(world.environment, world.kubectl) as kafka:
        login = {"username": USER, "password": PASSWORD, "ca.crt": kafka.authority}
        world.kubectl.apply(secret("kafka-login", login))
        kafka.make(TOPIC, DEAD)
        how = {"securityProtocol": "SASL_SSL", "saslMechanism": MECHANISM, "existingSecret": "kafka-login"}
        which = {"bootstrapServers": kafka.address, "topic": TOPIC, "groupId": TOPIC, "deadLetterTopic": DEAD}
        world.install(kafka=which | how)
        try:
            kafka.send(TOPIC, "no JSON", '{"reason": "drift behind a login"}')
            [name] = world.wait_for_requests(1)
            assert world.wait_for_end(name)["verdict"] == "Promoted"
            wait_for("the dead letter", lambda: kafka.count(DEAD) == 1, 30)
            replayed = world.kubectl(
                *("exec", f"deployment/{release.DEPLOYMENT}", "--", "python", "-m", "retraining_operator", "replay"),
                *SPAN,
            )
            assert f"finished earlier: {name}" in replayed  # the database knows
            said = world.kubectl("logs", "--selector", OPERATOR, "--tail=-1")
            assert f"Listening to the topic {TOPIC}" in said
            assert PASSWORD not in said + replayed
        finally:
            world.install()
