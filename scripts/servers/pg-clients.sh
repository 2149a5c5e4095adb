#!/bin/bash
# PostgreSQL's client programs of newer majors than this Debian's own, for the tests: pg_dump, pg_dumpall, pg_restore, psql.
#
#   pg-clients.sh DIR     needs root and debootstrap; makes DIR/<major>/<program>, wrappers that run without root
#
# Each major comes from the Debian suite that has it, as a minimal system of its own below DIR/<major>/system (300 MB): its
# programs run against its own C library, with this machine's files.
set -euo pipefail
dir=$1

install_major() {
  local major=$1 suite=$2 at=$dir/$1 program
  [ -x "$at/pg_dump" ] && return 0
  rm -rf "$at" && mkdir -p "$at"
  # debootstrap names its recipes by suite; all newer ones are sid's
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || ln -s sid "/usr/share/debootstrap/scripts/$suite"
  debootstrap --variant=minbase --include="postgresql-client-$major" "$suite" "$at/system" >"$at/debootstrap.log" 2>&1 ||
    { tail -3 "$at/debootstrap.log" >&2; return 1; }
  local system=$at/system triplet
  triplet=$(basename "$(ls -d "$system"/usr/lib/*-linux-gnu | head -1)")
  for program in pg_dump pg_dumpall pg_restore psql; do
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
      "$(ls "$system"/lib*/ld-linux-* | head -1)" "$system/usr/lib/$triplet:$system/lib/$triplet" \
      "$system/usr/lib/postgresql/$major/bin/$program" >"$at/$program"
    chmod 755 "$at/$program"
  done
  "$at/pg_dump" --version
}

install_major 17 trixie
install_major 18 forky
