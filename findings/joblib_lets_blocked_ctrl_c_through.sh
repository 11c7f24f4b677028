#!/usr/bin/env bash
# Title: the first joblib.Parallel of a process unblocks SIGINT and SIGTERM that its caller has blocked.
#
# One would expect: who blocks a signal before it starts workers (pthread_sigmask, which children inherit) has
#   it blocked in them, and finds its own mask as it was afterwards.
# What happens: the first use starts the resource tracker, which blocks both signals while it starts and then
#   unblocks them, whatever the caller's mask was. The workers start after it, with both signals let through,
#   and the caller's mask is another one too. The second use in a process that blocks again behaves as expected,
#   for the tracker runs already, so a test that uses joblib twice sees nothing.
# Why it matters: "a sweep's workers are shielded from Ctrl-C, and the parent ends them in order" holds in every
#   try but the first. A worker that gets the signal inside a destructor prints a traceback and works on.
# How sure: certain for these versions on Linux.
# Versions: joblib 1.5.3 (its copy of loky 3.5.6).
# Source: found by running it, after a test of ours failed once in some hundred runs.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check joblib==1.5.3
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import signal
import sys

import joblib

BOTH = {signal.SIGINT, signal.SIGTERM}


def blocked():
    return sorted(each.name for each in BOTH & signal.pthread_sigmask(signal.SIG_BLOCK, []))


def once():
    signal.pthread_sigmask(signal.SIG_BLOCK, BOTH)
    (worker,) = joblib.Parallel(2)([joblib.delayed(signal.pthread_sigmask)(signal.SIG_BLOCK, [])])
    joblib.externals.loky.get_reusable_executor().shutdown()
    return sorted(each.name for each in BOTH & worker), blocked()


print("joblib", importlib.metadata.version("joblib"))
print("Guess: SIGINT and SIGTERM, blocked before, are blocked in the worker and afterwards, each time.")
first, second = once(), once()
print(f"Seen: first use: in the worker {first[0]}, in the caller afterwards {first[1]}")
print(f"      second use: in the worker {second[0]}, in the caller afterwards {second[1]}")
names = ["SIGINT", "SIGTERM"]
same = first == ([], []) and second == (names, names)
print("Still so." if same else "CHANGED: the caller's mask is kept.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
