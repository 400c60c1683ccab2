#!/usr/bin/env bash
# Bring compose.yaml and the scripts to a machine, and run an image there.
#
#   scripts/deploy-compose-over-ssh.sh USER@HOST DIRECTORY IMAGE [VERSION]
#
# The machine needs Docker with compose, and DIRECTORY/.env with the settings; secrets do not
# travel. Whoever may use Docker there is as good as root. The exit code is deploy-compose.sh's.
set -euo pipefail

usage='usage: deploy-compose-over-ssh.sh USER@HOST DIRECTORY IMAGE [VERSION]'
host=${1:?$usage} directory=${2:?$usage} image=${3:?$usage} version=${4:-}
cd "$(dirname "$0")/.."

# Quoted once more: ssh hands one line to a shell over there.
printf -v remote 'set -e; umask 077; mkdir -p %q; cd %q; tar -xf -; exec scripts/deploy-compose.sh %q %q' \
  "$directory" "$directory" "$image" "$version"
tar -cf - compose.yaml scripts/deploy-compose.sh scripts/rollback-compose.sh |
  ssh -o BatchMode=yes -o StrictHostKeyChecking=yes "$host" "$remote"
