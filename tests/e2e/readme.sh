#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs what README.md shows: each command of a ```console block, in order, from the repository. It
# must succeed, and each line shown below it must appear in its output, with numbers, bars, blanks and
# the path of the repository aside. A line "…" in the README stands for lines that are left out.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ -x "$AOTC" ] && [ -x "$AOT" ] || skip_all "the tools are not built"
[ "$(uname -m)" = x86_64 ] || skip_all "the README shows x86_64"

# A copy, so that what the commands leave does not land in the build folder of others.
mkdir -p "$SCRATCH/repo/build"
cd "$SCRATCH/repo" || exit 1
for name in examples tests docs README.md; do ln -s "$SOURCE/$name" .; done
ln -s "$BUILD/bin" build/bin

# Shape of a line: numbers to 0, runs of blanks and bars to one.
shape() { sed -E 's/[0-9]+/0/g; s/@+/@/g; s/[[:space:]]+/ /g; s/^ //; s/ $//'; }

awk '/^```console$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$SCRATCH/blocks"
command= number=0
run_command() {
  [ -n "$command" ] || return
  number=$((number + 1))
  local name
  name="command_$number"
  if ! timeout 60 bash -c "$command" >"$SCRATCH/output" 2>&1; then
    fail "$name" "$command: failed: $(head -c 1500 "$SCRATCH/output")"
    return
  fi
  # clang writes whole paths into the types; the README shows them from the repository.
  sed "s,$PWD/,,g" "$SCRATCH/output" | shape >"$SCRATCH/shape"
  local missing
  missing=$(shape <"$SCRATCH/shown" | grep -v '^…$' | grep -vxFf "$SCRATCH/shape" | grep .)
  if [ -z "$missing" ]; then
    pass "$name"
  else
    fail "$name" "$command: lines of the README that it does not print:
$missing
--- it prints:
$(head -40 "$SCRATCH/output")"
  fi
}
: >"$SCRATCH/shown"
while IFS= read -r line; do
  case $line in
  '$ '*)
    run_command
    command=${line#\$ }
    : >"$SCRATCH/shown"
    ;;
  *) printf '%s\n' "$line" >>"$SCRATCH/shown" ;;
  esac
done <"$SCRATCH/blocks"
run_command
check readme_shows_commands test "$number" -ge 4
finish
