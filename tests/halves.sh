#!/bin/sh
# Every test, in two halves side by side: the flows', which wait for servers most of the time, and the
# others'. What the others say is shown once both have ended.
set -u
others=$(mktemp)
"$1" -m pytest tests/test_*.py tests/models tests/mailbox tests/webhooks >"$others" 2>&1 &
trap 'kill $!; rm -f "$others"; exit 130' INT TERM
"$1" -m pytest tests/flows
flows=$?
wait $!
rest=$?
cat "$others"
rm -f "$others"
exit $((flows > rest ? flows : rest))
