#!/bin/sh
# Writes server.properties from the KAFKA_* variables as apache/kafka does, formats an empty folder, starts the broker.
set -eu
properties=/opt/kafka/config/server.properties
env | awk -F= '
  /^KAFKA_/ && $1 !~ /^KAFKA_(HEAP_OPTS|OPTS|VERSION|JVM_PERFORMANCE_OPTS|LOG4J.*|GC_LOG_OPTS|JMX.*)$/ {
    name = tolower(substr($1, 7))
    gsub(/___/, "\001", name); gsub(/__/, "\002", name); gsub(/_/, ".", name)
    gsub(/\001/, "-", name); gsub(/\002/, "_", name)
    print name "=" substr($0, length($1) + 2)
  }' >"$properties"

folder=$(sed -n 's/^log\.dirs=//p' "$properties")
if [ ! -f "$folder/meta.properties" ]; then
  run-java.sh kafka.tools.StorageTool format --config "$properties" --cluster-id "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"
fi
KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xms128m -Xmx384m}" LOG_LEVEL="${LOG_LEVEL:-info}" \
  exec run-java.sh kafka.Kafka "$properties"
