#!/bin/bash
# SPDX-License-Identifier: MIT
# What every file must hold to: licence line, length, no path or name of a machine it was written on.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$SOURCE" || exit 1
repository_files >"$SCRATCH/files"

# The licence stands in the first line, or in the second where the first belongs to the system.
# JSON has no comments; the licence text is the licence; binary test data carries none.
missing=
while read -r file; do
  case $file in
  LICENSE | *.json | *.o | *.so | *.bin | *.data | tests/fuzz/*corpus*) continue ;;
  esac
  head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT' || missing+="$file"$'\n'
done <"$SCRATCH/files"
complain_if every_file_names_its_licence "$missing"

# Over 600 lines a file says at its top why it is one thing; over 900 is refused. Tables are exempt.
long=
while read -r file; do
  case $file in *.def | *.txt | *.tsv | *.json | docs/* | CHANGELOG.md | tests/*/data/*) continue ;; esac
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 900 ]; then
    long+="$file has $lines lines, at most 900"$'\n'
  elif [ "$lines" -gt 600 ] && ! head -n 40 "$file" | grep -qiE 'one (thing|file)|over 600|in one place|belong(s)? together'; then
    long+="$file has $lines lines and does not say at its top why it is one thing"$'\n'
  fi
done <"$SCRATCH/files"
complain_if files_are_short "$long"

# Text files only; this one and the lists it needs name what they look for.
text_files() {
  grep -vE '^(tests/lint/files\.sh|LICENSE)$|\.(o|so|bin|data)$|corpus' "$SCRATCH/files"
}
hits() { text_files | xargs grep -nIE "$1" 2>/dev/null; }
complain_if no_path_of_a_machine "$(hits '(^|[^A-Za-z0-9_./$}])/(root|home/[a-z]+|work|workspace|Users)/[A-Za-z0-9_.]')"
complain_if no_mirror_is_named "$(hits '(deb|ftp|security|snapshot|archive)\.[a-z.]*(debian|ubuntu)\.(org|com)|sources\.list')"
complain_if nothing_is_left_for_later "$(hits '\b(TODO|FIXME|XXX|HACK)\b' | grep -v 'CONTRIBUTING')"
complain_if no_download_in_cmake "$(grep -nE 'FetchContent|ExternalProject|file\(DOWNLOAD' \
  $(grep -E '(CMakeLists\.txt|\.cmake)$' "$SCRATCH/files"))"

# A source that is there without being named would be built or not by chance; tests may be found.
complain_if no_source_is_found_by_pattern "$(grep -n 'file(GLOB' \
  $(grep -E '(CMakeLists\.txt|\.cmake)$' "$SCRATCH/files" | grep -v '^tests/'))"

complain_if no_package_is_listed_twice "$(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' scripts/packages.txt |
  sort | uniq -d)"

# Trailing blanks and tabs come back in every diff.
complain_if no_trailing_blanks "$(text_files | grep -E '\.(cpp|h|c|def|sh|cmake|S)$|CMakeLists' |
  xargs grep -nE '[[:blank:]]+$')"
finish
