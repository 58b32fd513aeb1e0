#!/bin/sh
set -eu
"$PYTHON" "$PEERS/plain_aiohttp.py"
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
