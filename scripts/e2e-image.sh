#!/usr/bin/env bash
# Puts the image of this checkout where the nodes of the cluster find it, for `npm run test:e2e`.
#   scripts/e2e-image.sh
# E2E_IMAGE          its name, repository:tag (docker.io/library/roomcast:e2e)
# E2E_BUILD_COMMAND  a shell command that builds and loads or pushes it; it finds the name in E2E_IMAGE. Unset: docker and
#                    kind, when KUBECONFIG names a cluster of kind. Empty: the image is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
export E2E_IMAGE=${E2E_IMAGE:-docker.io/library/roomcast:e2e}

case ${1-} in
  '') ;;
  *)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac

if [[ -n ${E2E_BUILD_COMMAND+set} ]]; then
  [[ -z $E2E_BUILD_COMMAND ]] || bash -euo pipefail -c "$E2E_BUILD_COMMAND"
  exit
fi
context=$(kubectl config current-context)
if [[ $context != kind-* ]]; then
  echo "How does an image get to the cluster $context? Say so in E2E_BUILD_COMMAND: see scripts/e2e-image.sh." >&2
  exit 1
fi
docker build --tag "$E2E_IMAGE" .
kind load docker-image --name "${context#kind-}" "$E2E_IMAGE"
