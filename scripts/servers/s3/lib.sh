# Settings shared by start.sh and stop.sh. Everything listens on 127.0.0.1 only.
# S3_DIR (required) holds all state; S3_BASE_PORT is the first of a hundred ports.
S3_DIR=${S3_DIR:?folder for the server\'s state}
S3_BASE_PORT=${S3_BASE_PORT:-17400}
MEMORY_GB=8                                                  # cap, not reserved
MON_V2=$((S3_BASE_PORT)); MON_V1=$((S3_BASE_PORT+1))
W_HTTP=$((S3_BASE_PORT+10)); W_TLS=$((S3_BASE_PORT+11))      # eu-west-1
C_HTTP=$((S3_BASE_PORT+20)); C_TLS=$((S3_BASE_PORT+21))      # eu-central-1
OSD_MIN=$((S3_BASE_PORT+40)); OSD_MAX=$((S3_BASE_PORT+90))
CONF=$S3_DIR/ceph.conf
# Fixed on purpose: they open nothing but this throw-away server.
AK=SANITIZEACCESS0000001; SK=sanitizeSecret000000000000000000000000001
AK2=SANITIZEACCESS0000002; SK2=sanitizeSecret000000000000000000000000002
SYS_AK=SANITIZESYSTEM0000000; SYS_SK=sanitizeSystem00000000000000000000000000

# alive PIDFILE: its process runs and is one of ours.
alive() {
  local p
  p=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$p" ] && [ -r "/proc/$p/cmdline" ] && tr '\0' ' ' <"/proc/$p/cmdline" | grep -qF -- "$S3_DIR"
}
