#!/bin/bash
# Starts a one-node Ceph inside $S3_DIR: mon, osd in memory, and one S3 gateway for each of two regions (eu-west-1,
# eu-central-1) in one realm, with http, TLS under an own CA, and two users. Prints its settings as environment lines.
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
umask 077
for tool in ceph-mon ceph-osd radosgw radosgw-admin ceph ceph-authtool monmaptool openssl curl; do
  command -v "$tool" >/dev/null || { echo "missing $tool: apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw ceph-common openssl curl" >&2; exit 1; }
done
mkdir -p "$S3_DIR"/{run,log,mon,osd,tls}
echo $$ >"$S3_DIR/run/start.pid" # stop.sh may come before we are done

C() { timeout 30 ceph -c "$CONF" "$@"; }
RA() { timeout 30 radosgw-admin -c "$CONF" "$@"; }
wait_for() { # seconds description command...
  local tries=$(($1 * 10)) what=$2
  shift 2
  for ((n = 0; n < tries; n++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
  echo "timed out waiting for $what" >&2
  tail -n 5 "$S3_DIR"/log/*.out >&2 || true
  exit 1
}

FSID=$(cat /proc/sys/kernel/random/uuid)
cat >"$CONF" <<CONFEOF
[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$MON_V2,v1:127.0.0.1:$MON_V1]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind port min = $OSD_MIN
ms bind port max = $OSD_MAX
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
mon warn on insecure global id reclaim allowed = false
run dir = $S3_DIR/run
admin socket = $S3_DIR/run/\$name.asok
log file = $S3_DIR/log/\$name.log
pid file = $S3_DIR/run/\$name.pid
mon data = $S3_DIR/mon
osd data = $S3_DIR/osd
keyring = $S3_DIR/keyring
crash dir = $S3_DIR/log
log to stderr = false
err to stderr = false
debug ms = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
mon data avail warn = 1
mon data avail crit = 1
paxos propose interval = 0.02
paxos min wait = 0.01
mon osd full ratio = .99
mon osd nearfull ratio = .98
osd objectstore = memstore
memstore device bytes = $((MEMORY_GB << 30))
osd max object size = 134217728
[client]
rgw thread pool size = 32
rgw enable usage log = false
rgw crypt require ssl = true
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = test-key-1=$(head -c 32 /dev/zero | tr '\0' 'k' | base64)
[client.rgw.west]
rgw realm = test
rgw zonegroup = eu-west-1
rgw zone = euw1
rgw frontends = beast endpoint=127.0.0.1:$W_HTTP ssl_endpoint=127.0.0.1:$W_TLS ssl_certificate=$S3_DIR/tls/server.crt ssl_private_key=$S3_DIR/tls/server.key
[client.rgw.central]
rgw realm = test
rgw zonegroup = eu-central-1
rgw zone = euc1
rgw frontends = beast endpoint=127.0.0.1:$C_HTTP ssl_endpoint=127.0.0.1:$C_TLS ssl_certificate=$S3_DIR/tls/server.crt ssl_private_key=$S3_DIR/tls/server.key
CONFEOF

# A CA of its own and a server certificate for localhost and 127.0.0.1.
(
  cd "$S3_DIR/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 30 -subj "/CN=test CA" -addext basicConstraints=critical,CA:TRUE
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj "/CN=localhost"
  printf 'subjectAltName=DNS:localhost,DNS:*.s3.localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >ext
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.crt
) 2>"$S3_DIR/log/openssl.out"

key() { ceph-authtool "$S3_DIR/keyring" -g "$@" >/dev/null; }
key --create-keyring -n mon. --cap mon 'allow *'
key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key -n client.rgw.west --cap mon 'allow rwx' --cap osd 'allow rwx' --cap mgr 'allow rw'
key -n client.rgw.central --cap mon 'allow rwx' --cap osd 'allow rwx' --cap mgr 'allow rw'
key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
monmaptool --create --clobber --fsid "$FSID" --addv a "[v2:127.0.0.1:$MON_V2,v1:127.0.0.1:$MON_V1]" "$S3_DIR/monmap" >/dev/null
ceph-mon -c "$CONF" -i a --mkfs --monmap "$S3_DIR/monmap" --keyring "$S3_DIR/keyring"
ceph-mon -c "$CONF" -i a </dev/null >>"$S3_DIR/log/mon.out" 2>&1
wait_for 30 mon C --connect-timeout 5 mon stat

osd_id=$(cat /proc/sys/kernel/random/uuid)
C config set global mon_allow_pool_size_one true >/dev/null 2>&1 || true
printf '{"cephx_secret": "%s"}' "$(ceph-authtool -p -n osd.0 "$S3_DIR/keyring")" | C osd new "$osd_id" 0 -i - >/dev/null
ceph-osd -c "$CONF" -i 0 --mkfs --osd-uuid "$osd_id" >>"$S3_DIR/log/osd.out" 2>&1
ceph-osd -c "$CONF" -i 0 </dev/null >>"$S3_DIR/log/osd.out" 2>&1
osd_up() { C osd stat 2>/dev/null | grep -q '1 up'; }
wait_for 60 osd osd_up

RA realm create --rgw-realm=test --default >/dev/null
RA zonegroup create --rgw-zonegroup=eu-west-1 --rgw-realm=test --endpoints=http://127.0.0.1:$W_HTTP --master --default >/dev/null
RA zone create --rgw-zonegroup=eu-west-1 --rgw-zone=euw1 --master --default --endpoints=http://127.0.0.1:$W_HTTP --access-key=$SYS_AK --secret=$SYS_SK >/dev/null
RA zonegroup create --rgw-zonegroup=eu-central-1 --rgw-realm=test --endpoints=http://127.0.0.1:$C_HTTP >/dev/null
RA zone create --rgw-zonegroup=eu-central-1 --rgw-zone=euc1 --master --endpoints=http://127.0.0.1:$C_HTTP --access-key=$SYS_AK --secret=$SYS_SK >/dev/null
RA user create --rgw-zone=euw1 --uid=sys --display-name=sys --system --access-key=$SYS_AK --secret=$SYS_SK >/dev/null
RA period update --commit >/dev/null
RA user create --rgw-zone=euw1 --uid=app --display-name=app --access-key=$AK --secret=$SK >/dev/null
RA user create --rgw-zone=euw1 --uid=other --display-name=other --access-key=$AK2 --secret=$SK2 >/dev/null

timeout 120 radosgw -c "$CONF" -n client.rgw.west </dev/null >>"$S3_DIR/log/west.out" 2>&1
timeout 120 radosgw -c "$CONF" -n client.rgw.central </dev/null >>"$S3_DIR/log/central.out" 2>&1
wait_for 120 "the gateway of eu-west-1" curl -fsS -o /dev/null --max-time 2 http://127.0.0.1:$W_HTTP/
wait_for 120 "the gateway of eu-central-1" curl -fsS -o /dev/null --max-time 2 http://127.0.0.1:$C_HTTP/
user_there() { RA user info --rgw-zonegroup=eu-central-1 --rgw-zone=euc1 --uid=app; }
wait_for 120 "the users to reach eu-central-1" user_there

cat <<ENVEOF
S3_ENDPOINT=http://127.0.0.1:$W_HTTP
S3_ENDPOINT_TLS=https://localhost:$W_TLS
S3_REGION=eu-west-1
S3_ENDPOINT_2=http://127.0.0.1:$C_HTTP
S3_ENDPOINT_2_TLS=https://localhost:$C_TLS
S3_REGION_2=eu-central-1
S3_CA_FILE=$S3_DIR/tls/ca.crt
AWS_ACCESS_KEY_ID=$AK
AWS_SECRET_ACCESS_KEY=$SK
S3_OTHER_ACCESS_KEY_ID=$AK2
S3_OTHER_SECRET_ACCESS_KEY=$SK2
ENVEOF
