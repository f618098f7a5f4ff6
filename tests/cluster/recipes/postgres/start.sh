#!/bin/sh
# Makes the database on an empty folder from the POSTGRES_* variables as the public image does, then starts the server.
set -eu
mkdir -p "$PGDATA"
# A volume that Kubernetes has given to the pod's group is open to the group, which the server refuses.
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  # Read by initdb from a file that is none, so that the password is in no argument and on no disk.
  printf '%s\n' "$POSTGRES_PASSWORD" |
    initdb --username="$user" --pwfile=/dev/stdin --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    # Without network until the database is there, or a client could find the server without it.
    pg_ctl --wait --options="-c listen_addresses=''" start
    psql --username="$user" --dbname=postgres --set=db="${POSTGRES_DB:-$user}" --quiet <<'END'
CREATE DATABASE :"db";
END
    pg_ctl --wait stop
  fi
fi
[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" != postgres ] || set -- "$@" -c listen_addresses="*"
exec "$@"
