#!/usr/bin/env bash
# Install or upgrade a release of the chart, and roll back when it is not well.
#
#   scripts/deploy-helm.sh RELEASE NAMESPACE IMAGE [HELM ARGUMENTS...]
#
# IMAGE is REPOSITORY:TAG or REPOSITORY@sha256:..., and further arguments go to `helm upgrade`, as
# --values FILE. Helm waits for the probes, then `helm test` asks the Service. TIMEOUT is how long
# each may take (5m).
#
# Exit codes: 0 it runs; 1 it was not well, and the revision before runs again; 2 it was not well
# and could not be taken back.
set -euo pipefail

usage='usage: deploy-helm.sh RELEASE NAMESPACE IMAGE [HELM ARGUMENTS...]'
release=${1:?$usage} namespace=${2:?$usage} image=${3:?$usage}
shift 3
chart=$(dirname "$0")/../deploy/helm/renum
timeout=${TIMEOUT:-5m}
in_namespace=(--namespace "$namespace")

say() { printf 'deploy: %s\n' "$*" >&2; }

deployed() { # the revision that runs, or nothing
  helm history "$release" "${in_namespace[@]}" --output json 2>/dev/null |
    python3 -c 'import json, sys
runs = [r["revision"] for r in json.load(sys.stdin) if r["status"] == "deployed"]
print(runs[-1] if runs else "")' 2>/dev/null || true
}

case $image in
  *@*) of=(--set-string "image.repository=${image%@*}" --set-string "image.digest=${image#*@}") ;;
  *:*) of=(--set-string "image.repository=${image%:*}" --set-string "image.tag=${image##*:}"
    --set-string image.digest=) ;;
  *) say "$image names neither tag nor digest"; exit 2 ;;
esac

before=$(deployed)
say "from revision ${before:-none} to $image"
if helm upgrade "$release" "$chart" --install --create-namespace "${in_namespace[@]}" \
  --wait --timeout "$timeout" "${of[@]}" "$@" &&
  helm test "$release" "${in_namespace[@]}" --timeout "$timeout"; then
  say "$image runs and is well"
  exit 0
fi

say "$image is not well"
if [ -z "$before" ]; then
  say "there is nothing to go back to"
  exit 2
fi
say "back to revision $before"
if helm rollback "$release" "$before" "${in_namespace[@]}" --wait --timeout "$timeout" &&
  helm test "$release" "${in_namespace[@]}" --timeout "$timeout"; then
  say "revision $before runs again; the database keeps its schema, which both understand"
  exit 1
fi
say "revision $before is not well either"
exit 2
