"""What Kafka's errors mean: one table from error class to reason, retry and advice. Pure.

The most specific class counts: an error is looked up by its own class, then by those it derives
    from. An error that is not in the table is retried and said to be unknown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KafkaErrorClass:
    """One row of the table."""

    code: str
    """Name of kafka-python's class; where Kafka has a name of its own, that follows in parentheses."""
    reason: str
    retried: bool
    meaning: str
    advice: str

    @property
    def class_name(self) -> str:
        """The class alone."""
        return self.code.split(" ")[0]


TABLE = (
    KafkaErrorClass(
        "GroupAuthorizationFailedError (GROUP_AUTHORIZATION_FAILED)", "GroupForbidden", True,
        "The user may not read as this consumer group.",
        "Allow the user READ on the group (kafka.groupId), or choose a group that it may use.",
    ),
    KafkaErrorClass(
        "TopicAuthorizationFailedError (TOPIC_AUTHORIZATION_FAILED)", "TopicForbidden", True,
        "The user may not read the topic.",
        "Allow the user READ and DESCRIBE on the topic (kafka.topic).",
    ),
    KafkaErrorClass(
        "ClusterAuthorizationFailedError (CLUSTER_AUTHORIZATION_FAILED)", "ClusterForbidden", True,
        "The user lacks a right on the cluster.",
        "Ask who runs the Kafka cluster which right the user needs.",
    ),
    KafkaErrorClass(
        "SaslAuthenticationFailedError (SASL_AUTHENTICATION_FAILED)", "LoginRefused", True,
        "Kafka refuses the username or the password.",
        "Correct the Secret (kafka.existingSecret); it is read again at each try.",
    ),
    KafkaErrorClass(
        "UnsupportedSaslMechanismError (UNSUPPORTED_SASL_MECHANISM)", "LoginRefused", True,
        "Kafka does not know this way to log in.",
        "Set kafka.saslMechanism to one that the listener has.",
    ),
    KafkaErrorClass(
        "MissingCredentialError", "CredentialMissing", True,
        "The mounted Secret lacks a key.",
        "Add the key to the Secret (kafka.existingSecret), or name the right one.",
    ),
    KafkaErrorClass(
        "UnknownTopicOrPartitionError (UNKNOWN_TOPIC_OR_PARTITION)", "TopicMissing", True,
        "Kafka has no such topic, or the user may not see it.",
        "Check the spelling (kafka.topic) and create the topic; the operator never creates it.",
    ),
    KafkaErrorClass(
        "InvalidTopicError (INVALID_TOPIC_EXCEPTION)", "TopicInvalid", True,
        "Kafka allows no topic of this name.",
        "Correct kafka.topic: letters, digits, '.', '_' and '-', at most 249.",
    ),
    KafkaErrorClass(
        "InvalidGroupIdError (INVALID_GROUP_ID)", "GroupInvalid", True,
        "Kafka allows no group of this name.",
        "Correct kafka.groupId.",
    ),
    KafkaErrorClass(
        "InconsistentGroupProtocolError (INCONSISTENT_GROUP_PROTOCOL)", "GroupInUse", True,
        "The group has members of another kind, which share partitions in another way.",
        "Give the operator a group of its own (kafka.groupId), or stop the other members.",
    ),
    KafkaErrorClass(
        "GroupMaxSizeReachedError (GROUP_MAX_SIZE_REACHED)", "GroupFull", True,
        "The group has as many members as the broker allows.",
        "Give the operator a group of its own (kafka.groupId), or raise the broker's group.max.size.",
    ),
    KafkaErrorClass(
        "InvalidSessionTimeoutError (INVALID_SESSION_TIMEOUT)", "SessionRefused", True,
        "The broker does not allow the session timeout that the operator asks for (30 s).",
        "Set the broker's group.min.session.timeout.ms and group.max.session.timeout.ms so that 30 s is allowed.",
    ),
    KafkaErrorClass(
        "FencedInstanceIdError (FENCED_INSTANCE_ID)", "Fenced", True,
        "Another process has taken this member's place in the group.",
        "Run one operator for each release, or keep leaderElection.enabled.",
    ),
    KafkaErrorClass(
        "CommitFailedError", "Rebalanced", True,
        "The partitions moved to another member before the offsets were committed.",
        "Nothing to do: the new owner finds the requests that exist.",
    ),
    KafkaErrorClass(
        "RebalanceInProgressError (REBALANCE_IN_PROGRESS)", "Rebalancing", True,
        "The group is sharing out its partitions.",
        "Nothing to do.",
    ),
    KafkaErrorClass(
        "OffsetOutOfRangeError (OFFSET_OUT_OF_RANGE)", "OffsetGone", True,
        "Records were deleted before they were read, or the log was truncated.",
        "Raise the topic's retention; see which offsets the log line names.",
    ),
    KafkaErrorClass(
        "LogTruncationError", "LogTruncated", True,
        "Kafka has lost records that were read already (an unclean leader election).",
        "Set unclean.leader.election.enable=false and min.insync.replicas=2 for the topic.",
    ),
    KafkaErrorClass(
        "NotLeaderForPartitionError (NOT_LEADER_OR_FOLLOWER)", "LeaderMoving", True,
        "The partition's leader is moving to another broker.",
        "Nothing to do; if it stays, look at the brokers.",
    ),
    KafkaErrorClass(
        "LeaderNotAvailableError (LEADER_NOT_AVAILABLE)", "NoLeader", True,
        "The partition has no leader.",
        "Start the brokers that hold its replicas.",
    ),
    KafkaErrorClass(
        "KafkaStorageError (KAFKA_STORAGE_ERROR)", "BrokerDisk", True,
        "The broker cannot read its disk.",
        "Look at the broker's log directories.",
    ),
    KafkaErrorClass(
        "CorruptRecordError (CORRUPT_MESSAGE)", "LogDamaged", True,
        "The broker finds its own log damaged.",
        "Look at the broker's disk; the range is skipped after 30 s and named.",
    ),
    KafkaErrorClass(
        "CoordinatorNotAvailableError (COORDINATOR_NOT_AVAILABLE)", "NoCoordinator", True,
        "No broker keeps this group's offsets at present.",
        "Look at the topic __consumer_offsets: each of its partitions needs a leader.",
    ),
    KafkaErrorClass(
        "CoordinatorLoadInProgressError (COORDINATOR_LOAD_IN_PROGRESS)", "CoordinatorLoading", True,
        "The broker is still loading this group's offsets.",
        "Nothing to do.",
    ),
    KafkaErrorClass(
        "ThrottlingQuotaExceededError (THROTTLING_QUOTA_EXCEEDED)", "Throttled", True,
        "The user's quota is used up.",
        "Raise the quota.",
    ),
    KafkaErrorClass(
        "UnsupportedVersionError (UNSUPPORTED_VERSION)", "VersionUnsupported", True,
        "The broker is too old for what the operator asks.",
        "Use Kafka 2.1 or later.",
    ),
    KafkaErrorClass(
        "InvalidReceiveError", "AnswerTooLarge", True,
        "The answer is larger than a client accepts (100 MB), or no Kafka listens there.",
        "Check the port, and whether it speaks TLS (kafka.securityProtocol).",
    ),
    KafkaErrorClass(
        "KafkaProtocolError", "NotKafka", True,
        "What answers does not speak Kafka's protocol.",
        "Check the port, and whether it speaks TLS (kafka.securityProtocol).",
    ),
    KafkaErrorClass(
        "KafkaTimeoutError", "Unavailable", True,
        "Kafka has not answered in time.",
        "Check kafka.bootstrapServers, network policies and the brokers.",
    ),
    KafkaErrorClass(
        "KafkaConnectionError", "Unavailable", True,
        "There is no connection to Kafka.",
        "Check kafka.bootstrapServers, network policies and the brokers.",
    ),
    KafkaErrorClass(
        "OSError", "Unavailable", True,
        "The network refuses the connection.",
        "Check kafka.bootstrapServers, network policies, certificates and the brokers.",
    ),
    KafkaErrorClass(
        "RetriableError", "Passing", True,
        "Kafka says that the same may succeed soon.",
        "Nothing to do; if it stays, look at the brokers.",
    ),
    KafkaErrorClass(
        "MessageSizeTooLargeError (MESSAGE_TOO_LARGE)", "LetterTooLarge", True,
        "A record is too large for the dead-letter topic; it is sent again without its value.",
        "Raise the topic's max.message.bytes to keep whole values.",
    ),
    KafkaErrorClass(
        "NotEnoughReplicasError (NOT_ENOUGH_REPLICAS)", "TooFewReplicas", True,
        "The dead-letter topic has fewer replicas in sync than it needs.",
        "Start the brokers that hold its replicas.",
    ),
)  # fmt: skip
UNKNOWN = KafkaErrorClass(
    "any other error", "UnknownError", True,
    "An error that the operator does not know.",
    "Please report it with the log line; it is retried.",
)  # fmt: skip
BY_CLASS = {row.class_name: row for row in TABLE}


def classify(error: BaseException) -> KafkaErrorClass:
    """Return the row of an error."""
    for parent in type(error).__mro__:
        if row := BY_CLASS.get(parent.__name__):
            return row
    return UNKNOWN


def describe(error: BaseException) -> str:
    """Return the library's words for an error; some of its errors have none."""
    return f"{type(error).__name__} {error}".strip().rstrip(".")


def explain(error: BaseException) -> str:
    """Return what an error means and what to do, with the library's own words in parentheses."""
    row = classify(error)
    return f"{row.meaning} {row.advice} ({describe(error)})"
