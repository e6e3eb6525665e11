#!/bin/bash
# SPDX-License-Identifier: MIT
# Generic code does not ask which machine it is on: what differs belongs into targets/. Reviewed
# exceptions are in machines.allow, "path<TAB>reason".
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$SOURCE" || exit 1

allow=tests/lint/machines.allow
question='__x86_64__|__aarch64__|__riscv\b|__riscv_|__amd64__|__i386__|__arm__|\bEM_(X86_64|AARCH64|RISCV|386|ARM)\b'
question+='|CMAKE_SYSTEM_PROCESSOR|CMAKE_HOST_SYSTEM_PROCESSOR'
wrong=
while IFS=: read -r file line text; do
  grep -q "^$file	" "$allow" && continue
  # A comment may name a machine.
  [[ $text =~ ^[[:space:]]*(//|\*|/\*|#[[:space:]]) ]] && [[ ! $text =~ ^[[:space:]]*#[[:space:]]*(if|elif) ]] && continue
  wrong+="$file:$line:$text"$'\n'
done < <(grep -rnE "$question" support include bpf verifier linker aotc conformance minirt loader \
  --include='*.cpp' --include='*.h' --include='*.c' --include='*.def' --include='CMakeLists.txt')
complain_if no_machine_question_outside_targets "$wrong"

stale=
while IFS=$'\t' read -r file reason; do
  case $file in '' | '#'*) continue ;; esac
  [ -n "$reason" ] || stale+="$file has no reason"$'\n'
  grep -qE "$question" "$file" 2>/dev/null || stale+="$file asks no machine question any more"$'\n'
done <"$allow"
complain_if allowlist_is_current "$stale"
finish
