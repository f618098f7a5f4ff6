#!/bin/sh
exec /opt/kafka/bin/run-java.sh org.apache.kafka.tools.TopicCommand "$@"
