#!/bin/sh
# The same, 32 at once.
set -eu
# shellcheck disable=SC2016 - for the inner shells to expand
xargs -P32 -n1 sh -c '
  url=$(curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" \
    "$API/v1/Accounts/$ACCOUNT/Calls/$1.json" | jq -r .Call.RecordingUrl)
  exec curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" -o "recordings/$1.mp3" "$url"
' fetch < sids
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
