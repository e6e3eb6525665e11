#!/bin/bash
# SPDX-License-Identifier: MIT
# Relative links in the documents lead to files that exist, and to headings that exist in them.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$SOURCE" || exit 1

# Headings of a file as link anchors: lower case, blanks to dashes, punctuation dropped.
anchors() {
  sed -nE 's/^#+ +(.*)$/\1/p' "$1" | tr 'A-Z' 'a-z' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

broken=
while IFS=: read -r file line link; do
  link=${link#\](}
  link=${link%)}
  case $link in http://* | https://* | mailto:*) continue ;; esac
  path=${link%%#*}
  anchor=
  case $link in *'#'*) anchor=${link#*#} ;; esac
  target=$file
  [ -n "$path" ] && target=$(dirname "$file")/$path
  if [ ! -e "$target" ]; then
    broken+="$file:$line: $link does not exist"$'\n'
  elif [ -n "$anchor" ] && ! anchors "$target" | grep -qxF "$anchor"; then
    broken+="$file:$line: $target has no heading for #$anchor"$'\n'
  fi
done < <(repository_files | grep '\.md$' | xargs grep -noE '\]\([^) ]+\)')
complain_if document_links_resolve "$broken"
finish
