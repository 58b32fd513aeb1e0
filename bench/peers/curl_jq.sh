#!/bin/sh
# One call after the other: ask for its URL, fetch it.
set -eu
while read -r sid; do
  url=$(curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" \
    "$API/v1/Accounts/$ACCOUNT/Calls/$sid.json" | jq -r .Call.RecordingUrl)
  curl -sSf -u "$EXOTEL_API_KEY:$EXOTEL_API_TOKEN" -o "recordings/$sid.mp3" "$url"
done < sids
find recordings -name '*.mp3' -print0 | xargs -0 sha256sum > SHA256SUMS
