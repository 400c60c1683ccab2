#!/usr/bin/env bash
# Go back to the revision before this one, or to the one that is named.
#
#   scripts/rollback-helm.sh RELEASE NAMESPACE [REVISION]
set -euo pipefail

usage='usage: rollback-helm.sh RELEASE NAMESPACE [REVISION]'
release=${1:?$usage} namespace=${2:?$usage} revision=${3:-0}
helm rollback "$release" "$revision" --namespace "$namespace" --wait --timeout "${TIMEOUT:-5m}"
exec helm test "$release" --namespace "$namespace" --timeout "${TIMEOUT:-5m}"
