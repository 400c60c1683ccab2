#!/usr/bin/env bash
# Run the image that ran before this one; the same twice leads back again.
#
#   scripts/rollback-compose.sh
#
# Run on the machine itself, in the directory with compose.yaml and .env.
set -euo pipefail

if ! before=$(cat .renum-release.previous 2>/dev/null); then
  echo "rollback: no image is known that ran before this one" >&2
  exit 3
fi
exec "$(dirname "$0")/deploy-compose.sh" "$before"
