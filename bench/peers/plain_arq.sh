#!/bin/sh
# A task per Sid, and $PROCESSES workers that end when the queue is empty.
set -eu
"$REDIS_SERVER" --port 0 --unixsocket "$REDIS_SOCKET" --save '' --logfile redis.log &
redis=$!
trap 'kill "$redis" 2> /dev/null || true' EXIT
until [ -S "$REDIS_SOCKET" ]; do
  kill -0 "$redis"
  sleep 0.02
done
"$PYTHON" "$PEERS/plain_arq.py"
export PYTHONPATH="$PEERS"
workers=
for _ in $(seq "$PROCESSES"); do
  "$PYTHON" -m arq plain_arq.WorkerSettings --burst > arq.log 2>&1 &
  workers="$workers $!"
done
# shellcheck disable=SC2086 - a list of ids
wait $workers
kill "$redis"
wait "$redis" || true
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
