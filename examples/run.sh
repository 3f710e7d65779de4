#!/bin/sh
# The main job: examples/users.csv, applied to a simulated tenant that holds the
# users of examples/directory.jsonl. Leaves its results in out/.
set -eu
cd "$(dirname "$0")/.."
muster=bin/muster
mkdir -p out
rm -f out/ready.json out/summary.json out/rejects.csv out/traces.jsonl out/outcomes.jsonl

"$muster" local --amqp-port 0 --management-port 0 --graph-port 0 --users-file examples/directory.jsonl --json \
    > out/ready.json 2> out/local.log &
local=$!
trap 'kill $local 2>/dev/null || true; wait $local 2>/dev/null || true' EXIT INT TERM

# The line appears when both services listen.
tries=0
while ! grep -q servicebus out/ready.json 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 $local 2>/dev/null; then
        echo "muster local did not start:" >&2
        cat out/local.log >&2
        exit 1
    fi
    sleep 0.1
done
graph=$(sed 's/.*"graph":"\([^"]*\)".*/\1/' out/ready.json)

status=0
"$muster" apply examples/users.csv --graph "$graph" --tenant contoso.example --region NL --run demo \
    --rejects out/rejects.csv --summary out/summary.json --outcomes out/outcomes.jsonl \
    --traces-file out/traces.jsonl --log-level error || status=$?

# 3 means that some rows could not be applied, which the example is made for.
if [ $status -ne 0 ] && [ $status -ne 3 ]; then
    exit $status
fi
cat <<EOF

out/summary.json    the summary for machines
out/rejects.csv     the rejected rows, each with a reason and a hint
out/outcomes.jsonl  what became of each command
out/traces.jsonl    a trace for each user, as OTLP JSON
EOF
