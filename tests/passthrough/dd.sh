#!/bin/sh
# Stands before the real dd: kills the hook that calls it where a step asks for it.
if [ -e /tmp/kill-hook-at ] && [ "$1" = "of=$(cat /tmp/kill-hook-at)" ]; then
  rm /tmp/kill-hook-at
  kill -9 "$PPID"
  exit 1
fi
exec /usr/lib/real-dd "$@"
