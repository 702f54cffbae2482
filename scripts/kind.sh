#!/usr/bin/env bash
# Roomcast on a Kubernetes of three nodes in Docker, built from this checkout.
#   scripts/kind.sh up [arguments of helm]   creates what is missing, installs or upgrades, tests, and says what to open
#   scripts/kind.sh down                     deletes the cluster
# Needs docker, kind, kubectl and helm.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=roomcast
context=kind-$cluster
repository=roomcast

need() {
  for program; do
    command -v "$program" >/dev/null || {
      echo "scripts/kind.sh needs $program" >&2
      exit 1
    }
  done
}

up() {
  need docker kind kubectl helm
  kind get clusters 2>/dev/null | grep -qx $cluster || kind create cluster --config k8s/kind.yaml --wait 120s
  docker build --quiet --tag $repository:dev . >/dev/null
  # A tag of its own for each content, so that an upgrade replaces the pods if and only if the image changed.
  local tag
  tag=dev-$(docker image inspect --format '{{.Id}}' $repository:dev | cut -d: -f2 | cut -c1-12)
  docker tag $repository:dev "$repository:$tag"
  kind load docker-image --name $cluster "$repository:$tag"
  helm upgrade --install chat charts/roomcast --kube-context $context --wait --timeout 5m \
    --set image.repository=$repository --set image.tag="$tag" \
    --set gateway.service.type=NodePort --set gateway.service.nodePort=30080 "$@"
  helm test chat --kube-context $context
  echo 'Open http://localhost:8080'
}

case ${1-} in
  up) up "${@:2}" ;;
  down)
    need kind
    kind delete cluster --name $cluster
    ;;
  *)
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
    ;;
esac
