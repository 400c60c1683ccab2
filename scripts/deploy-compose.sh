#!/usr/bin/env bash
# Run an image by compose.yaml, and go back to the one before when it is not well.
#
#   scripts/deploy-compose.sh IMAGE [VERSION]
#
# Run on the machine itself, in the directory with compose.yaml and .env. VERSION is what has to
# answer at the end. What runs, and what ran before, is kept in .renum-release and
# .renum-release.previous. WAIT_S is how long the rollout may take (180).
#
# Exit codes: 0 it runs; 1 it was not well, and the one before runs again; 2 it was not well, and
# neither is the one before (or there is none); 3 it was refused before anything was changed.
set -euo pipefail

image=${1:?usage: deploy-compose.sh IMAGE [VERSION]}
version=${2:-}
wait_s=${WAIT_S:-180}
current=.renum-release
previous=.renum-release.previous

say() { printf 'deploy: %s\n' "$*" >&2; }

# Start what is asked for, and hold it to its health checks from inside.
roll_out() { # IMAGE [VERSION]
  # Environment wins over .env.
  export RENUM_IMAGE=$1
  docker compose up --detach --no-build --remove-orphans --wait --wait-timeout "$wait_s" || return 1
  docker compose exec --no-TTY api python -m app.probe --wait 30 --times 5 \
    ${2:+--version "$2"} http://127.0.0.1:8000
}

before=$(cat "$current" 2>/dev/null || true)
export RENUM_IMAGE=$image
docker compose config --quiet || exit 3
# Not `compose pull`: for an image that could be built, it calls a failure a success.
docker pull --quiet "$image" >/dev/null || { say "$image cannot be pulled"; exit 3; }

say "from ${before:-nothing} to $image"
if roll_out "$image" "$version"; then
  if [ -n "$before" ] && [ "$before" != "$image" ]; then printf '%s\n' "$before" >"$previous"; fi
  printf '%s\n' "$image" >"$current"
  say "$image runs and is well"
  exit 0
fi

say "$image is not well; what it said last:"
docker compose logs --tail 50 migrate api worker >&2 || true
if [ -z "$before" ] || [ "$before" = "$image" ]; then
  say "there is nothing to go back to"
  exit 2
fi
say "back to $before"
if roll_out "$before"; then
  say "$before runs again; the database keeps its schema, which both understand"
  exit 1
fi
say "$before is not well either"
exit 2
