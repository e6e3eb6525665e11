#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the packages of packages.txt that are missing; touches nothing (and needs neither root
# nor a network) when all are there.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v apt-get >/dev/null 2>&1 || die "needs apt-get: this script is for Debian 12"

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
while read -r package; do
  is_installed "$package" || missing+=("$package")
done < <(package_list)

if [ ${#missing[@]} -eq 0 ]; then
  say "packages: all of scripts/packages.txt are installed"
  exit 0
fi

say "packages: installing ${missing[*]}"
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive \
  apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
say "packages: installed ${#missing[@]}"
