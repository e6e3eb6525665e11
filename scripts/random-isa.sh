#!/bin/bash
# SPDX-License-Identifier: MIT
# Random programs through the reference interpreter and native code of every machine, for as long as
# wanted: scripts/random-isa.sh [SECONDS] [random_isa's options], default an hour with a new seed. Runs
# from a copy, so that the tree may be built again meanwhile. Stops at the first difference and prints
# how to repeat it.
set -e
cd "$(dirname "$0")/.."
build=${BUILD:-build}
seconds=${1:-3600}
shift || true
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp "$build/tests/random_isa" "$copy/"
cp -r "$build/lib/bpf-aotc" "$copy/lib"
status=0
"$copy/random_isa" --resource-dir "$copy/lib" --seconds "$seconds" "$@" || status=$?
exit $status
