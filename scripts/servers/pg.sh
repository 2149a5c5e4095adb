#!/bin/bash
# A private throw-away PostgreSQL cluster of Debian's binaries, on loopback, for the tests.
#
#   pg.sh start DIR PORT BINDIR [tls]   makes the cluster in DIR if absent, starts it, prints url=… (superuser postgres)
#   pg.sh wipe DIR                      stops it at once and removes DIR
#
# Servers refuse to run as root, so as root they run as an existing user: postgres, which Debian's package makes, else nobody.
# `tls`: connections over TCP only with TLS, under a CA of the cluster's own; the URL then says sslmode=verify-full.
set -euo pipefail
command=$1 dir=$2
os_user=$(getent passwd postgres >/dev/null && echo postgres || echo nobody)

as_server() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid="$os_user" --regid="$(id -gn "$os_user")" --clear-groups env HOME="$dir" LC_ALL=C.UTF-8 PATH="$PATH" "$@"
  else
    env LC_ALL=C.UTF-8 "$@"
  fi
}

make_certificates() {
  as_server sh -c "cd '$dir/data' && umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 30 \
      -subj '/CN=test CA' -addext basicConstraints=critical,CA:TRUE
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=localhost
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.crt
    printf 'ssl = on\nssl_min_protocol_version = TLSv1.2\n' >> postgresql.conf
    printf 'local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n' > pg_hba.conf" 2>"$dir/openssl.log"
}

make_cluster() {
  local bin=$1 tls=$2
  as_server sh -c "umask 077; head -c 18 /dev/urandom | base64 | tr '+/' 'ab' > '$dir/password'"
  as_server "$bin/initdb" -D "$dir/data" -U postgres --pwfile="$dir/password" -A scram-sha-256 \
    -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
  as_server sh -c "cat >> '$dir/data/postgresql.conf'" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 60
shared_buffers = 128MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
fsync = off
full_page_writes = off
logging_collector = off
CONF
  [ "$tls" != tls ] || make_certificates
}

case $command in
start)
  port=$3 bin=$4 tls=${5:-}
  mkdir -p "$dir"
  [ "$(id -u)" != 0 ] || chown "$os_user" "$dir"
  chmod 711 "$dir"
  [ -f "$dir/data/PG_VERSION" ] || make_cluster "$bin" "$tls"
  printf '%s\n' "$bin" >"$dir/bindir"
  as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -o "-p $port" start >/dev/null || { tail -20 "$dir/log" >&2; exit 1; }
  query=
  if [ "$tls" = tls ]; then
    cp "$dir/data/ca.crt" "$dir/ca.crt"
    chmod 644 "$dir/ca.crt"
    query="?sslmode=verify-full&sslrootcert=$dir/ca.crt"
  fi
  echo "url=postgres://postgres:$(cat "$dir/password")@localhost:$port/postgres$query"
  ;;
wipe)
  if [ -f "$dir/bindir" ]; then
    as_server "$(cat "$dir/bindir")/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
  fi
  rm -rf "$dir"
  ;;
*)
  echo "usage: pg.sh start DIR PORT BINDIR [tls] | wipe DIR" >&2
  exit 2
  ;;
esac
