# SPDX-License-Identifier: MIT
# Shared by the scripts: where the repository is, progress lines, root rights. Sourced, never run.

set -eu
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BPFAOT_BUILD:-$REPO/build}

say() { printf '==> %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Runs a command with root rights: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo -- "$@"
  else
    die "needs root rights for: $* (run as root, or install sudo)"
  fi
}

# The package names of packages.txt, without comments.
package_list() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$REPO/scripts/packages.txt"; }
