#!/bin/sh
# Runs a class of Kafka in a JVM that starts fast and stays small.
exec java ${KAFKA_HEAP_OPTS:--Xmx128m} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Djava.awt.headless=true \
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=${LOG_LEVEL:-warn}" -Dorg.slf4j.simpleLogger.showDateTime=true \
  ${KAFKA_OPTS:-} -cp '/opt/kafka/libs/*' "$@"
