"""What Kafka's errors mean: a table from error class to reason, retry and advice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KafkaErrorClass:
    """One row of the table.

    Args:
        code: Name of kafka-python's class, followed by Kafka's own name in parentheses, if any.
        reason: The reason in CamelCase.
        retried: Whether the operator retries.
        meaning: What the error means, as a sentence.
        advice: What to do, as a sentence.
    """

    code: str
    reason: str
    retried: bool
    meaning: str
    advice: str

    @property
    def class_name(self) -> str:
        """The name of the class without Kafka's own name."""
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
        "Ask the administrators of the Kafka cluster which right the user needs.",
    ),
    KafkaErrorClass(
        "SaslAuthenticationFailedError (SASL_AUTHENTICATION_FAILED)", "LoginRefused", True,
        "Kafka rejects the username or the password.",
        "Correct the Secret (kafka.existingSecret). It is read again before each retry.",
    ),
    KafkaErrorClass(
        "UnsupportedSaslMechanismError (UNSUPPORTED_SASL_MECHANISM)", "LoginRefused", True,
        "The listener does not support this SASL mechanism.",
        "Set kafka.saslMechanism to one that the listener supports.",
    ),
    KafkaErrorClass(
        "MissingCredentialError", "CredentialMissing", True,
        "The mounted Secret lacks a key.",
        "Add the key to the Secret (kafka.existingSecret), or correct the name of the key.",
    ),
    KafkaErrorClass(
        "UnknownTopicOrPartitionError (UNKNOWN_TOPIC_OR_PARTITION)", "TopicMissing", True,
        "Kafka has no such topic, or the user may not see it.",
        "Check the spelling (kafka.topic) and create the topic; the operator never creates it.",
    ),
    KafkaErrorClass(
        "InvalidTopicError (INVALID_TOPIC_EXCEPTION)", "TopicInvalid", True,
        "The name of the topic is invalid.",
        "Correct kafka.topic: letters, digits, '.', '_' and '-', at most 249.",
    ),
    KafkaErrorClass(
        "InvalidGroupIdError (INVALID_GROUP_ID)", "GroupInvalid", True,
        "The name of the consumer group is invalid.",
        "Correct kafka.groupId.",
    ),
    KafkaErrorClass(
        "InconsistentGroupProtocolError (INCONSISTENT_GROUP_PROTOCOL)", "GroupInUse", True,
        "The group has members with another protocol for assigning partitions.",
        "Set kafka.groupId to a group that nobody else uses, or stop the other members.",
    ),
    KafkaErrorClass(
        "GroupMaxSizeReachedError (GROUP_MAX_SIZE_REACHED)", "GroupFull", True,
        "The group has as many members as the broker allows.",
        "Set kafka.groupId to a group that nobody else uses, or raise group.max.size.",
    ),
    KafkaErrorClass(
        "InvalidSessionTimeoutError (INVALID_SESSION_TIMEOUT)", "SessionRefused", True,
        "The broker does not allow the operator's session timeout (30 s).",
        "Allow 30 s with group.min.session.timeout.ms and group.max.session.timeout.ms.",
    ),
    KafkaErrorClass(
        "FencedInstanceIdError (FENCED_INSTANCE_ID)", "Fenced", True,
        "Another process has taken this member's place in the group.",
        "Run one operator per release, or leave leaderElection.enabled set.",
    ),
    KafkaErrorClass(
        "CommitFailedError", "Rebalanced", True,
        "The partitions moved to another member before the offsets were committed.",
        "Nothing to do: the new owner finds the requests that exist.",
    ),
    KafkaErrorClass(
        "RebalanceInProgressError (REBALANCE_IN_PROGRESS)", "Rebalancing", True,
        "The group is rebalancing its partitions.",
        "Nothing to do.",
    ),
    KafkaErrorClass(
        "OffsetOutOfRangeError (OFFSET_OUT_OF_RANGE)", "OffsetGone", True,
        "Records were deleted before they were read, or the log was truncated.",
        "Raise the topic's retention. The log line names the offsets.",
    ),
    KafkaErrorClass(
        "LogTruncationError", "LogTruncated", True,
        "Kafka has lost records that were already read (an unclean leader election).",
        "Set unclean.leader.election.enable=false and min.insync.replicas=2 for the topic.",
    ),
    KafkaErrorClass(
        "NotLeaderForPartitionError (NOT_LEADER_OR_FOLLOWER)", "LeaderMoving", True,
        "The partition's leader is moving to another broker.",
        "Nothing to do. If it persists, check the brokers.",
    ),
    KafkaErrorClass(
        "LeaderNotAvailableError (LEADER_NOT_AVAILABLE)", "NoLeader", True,
        "The partition has no leader.",
        "Start the brokers that hold its replicas.",
    ),
    KafkaErrorClass(
        "KafkaStorageError (KAFKA_STORAGE_ERROR)", "BrokerDisk", True,
        "The broker cannot read its disk.",
        "Check the broker's log directories.",
    ),
    KafkaErrorClass(
        "CorruptRecordError (CORRUPT_MESSAGE)", "LogDamaged", True,
        "The broker's log is damaged.",
        "Check the broker's disk. The range is skipped after 30 s, and its offsets are logged.",
    ),
    KafkaErrorClass(
        "CoordinatorNotAvailableError (COORDINATOR_NOT_AVAILABLE)", "NoCoordinator", True,
        "No broker is the coordinator of this group at present.",
        "Check the topic __consumer_offsets: each of its partitions needs a leader.",
    ),
    KafkaErrorClass(
        "CoordinatorLoadInProgressError (COORDINATOR_LOAD_IN_PROGRESS)", "CoordinatorLoading", True,
        "The broker is still loading this group's offsets.",
        "Nothing to do.",
    ),
    KafkaErrorClass(
        "ThrottlingQuotaExceededError (THROTTLING_QUOTA_EXCEEDED)", "Throttled", True,
        "The user has exceeded its quota.",
        "Raise the quota.",
    ),
    KafkaErrorClass(
        "UnsupportedVersionError (UNSUPPORTED_VERSION)", "VersionUnsupported", True,
        "The broker is too old for a request of the operator.",
        "Use Kafka 2.1 or later.",
    ),
    KafkaErrorClass(
        "InvalidReceiveError", "AnswerTooLarge", True,
        "The response is larger than 100 MB, or it is not from a Kafka broker.",
        "Check the port, and whether it uses TLS (kafka.securityProtocol).",
    ),
    KafkaErrorClass(
        "KafkaProtocolError", "NotKafka", True,
        "The server does not use the Kafka protocol.",
        "Check the port, and whether it uses TLS (kafka.securityProtocol).",
    ),
    KafkaErrorClass(
        "KafkaTimeoutError", "Unavailable", True,
        "Kafka did not respond in time.",
        "Check kafka.bootstrapServers, network policies and the brokers.",
    ),
    KafkaErrorClass(
        "KafkaConnectionError", "Unavailable", True,
        "There is no connection to Kafka.",
        "Check kafka.bootstrapServers, network policies and the brokers.",
    ),
    KafkaErrorClass(
        "OSError", "Unavailable", True,
        "The connection failed.",
        "Check kafka.bootstrapServers, network policies, certificates and the brokers.",
    ),
    KafkaErrorClass(
        "RetriableError", "Passing", True,
        "A temporary error.",
        "Nothing to do. If it persists, check the brokers.",
    ),
    KafkaErrorClass(
        "MessageSizeTooLargeError (MESSAGE_TOO_LARGE)", "LetterTooLarge", True,
        "A record is too large for the dead-letter topic. It is sent again without its value.",
        "To store whole values, raise the topic's max.message.bytes.",
    ),
    KafkaErrorClass(
        "NotEnoughReplicasError (NOT_ENOUGH_REPLICAS)", "TooFewReplicas", True,
        "The dead-letter topic has fewer in-sync replicas than min.insync.replicas.",
        "Start the brokers that hold its replicas.",
    ),
)  # fmt: skip
UNKNOWN = KafkaErrorClass(
    "any other error", "UnknownError", True,
    "An error that the operator does not know.",
    "Please report it with the log line. It is retried.",
)  # fmt: skip
