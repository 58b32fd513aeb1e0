#!/bin/sh
# URLs by the hundred, then one curl for all of them.
set -eu
xargs -n100 < sids | tr ' ' ',' | while read -r hundred; do
  curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" \
    "$API/v1/Accounts/$ACCOUNT/Calls.json?PageSize=100&Sid=$hundred" |
    jq -r '.Calls[] | "url = \"\(.RecordingUrl)\"\noutput = \"recordings/\(.Sid).mp3\""'
done > urls
host=${API#http://}
printf 'machine %s login %s password %s\n' "${host%:*}" "$EXOTEL_API_KEY" "$EXOTEL_API_TOKEN" > netrc
curl -sSf --parallel --parallel-max 64 --no-progress-meter --netrc-file netrc --config urls
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
