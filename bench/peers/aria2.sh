#!/bin/sh
# URLs by the hundred, then one aria2 for all of them.
set -eu
xargs -n100 < sids | tr ' ' ',' | while read -r hundred; do
  curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" \
    "$API/v1/Accounts/$ACCOUNT/Calls.json?PageSize=100&Sid=$hundred" |
    jq -r '.Calls[] | "\(.RecordingUrl)\n  out=\(.Sid).mp3"'
done > urls
aria2c -i urls -j64 -d recordings --quiet --no-conf \
  --http-user="$EXOTEL_API_KEY" --http-passwd="$EXOTEL_API_TOKEN"
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
