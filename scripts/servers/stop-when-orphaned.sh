#!/bin/bash
# stop-when-orphaned.sh COMMAND [ARGUMENT…]
# Runs COMMAND once standard input ends: when its starter closes the pipe, or dies without having had the chance to.
cat >/dev/null
exec "$@"
