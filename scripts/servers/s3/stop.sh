#!/bin/bash
# Ends at once what start.sh started, by pid file, and removes its state: the data lives in memory and is not wanted.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
. ./lib.sh
start=$(cat "$S3_DIR/run/start.pid" 2>/dev/null || true)
if [ -n "$start" ] && tr '\0' ' ' <"/proc/$start/cmdline" 2>/dev/null | grep -q 's3/start\.sh'; then
  kill -KILL "$start" # its starter died before it was done
fi
for daemon in client.rgw.central client.rgw.west osd.0 mon.a; do
  file=$S3_DIR/run/$daemon.pid
  if alive "$file"; then
    kill -KILL "$(cat "$file")"
    while alive "$file"; do sleep 0.05; done
  fi
done
case $S3_DIR in / | /root | /home | /tmp | "") ;; *) rm -rf "$S3_DIR" ;; esac
