#!/usr/bin/env bash
# Renders k8s/roomcast.yaml, the chart as plain manifests for those who do not use Helm.
#   scripts/render-manifests.sh           writes it
#   scripts/render-manifests.sh --check   fails when it is not current
# Needs helm, 3 or 4, on the path or where `npm test` puts it.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$PWD/.cache/bin

case ${1-} in
  '' | --check) ;;
  *)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac

render() {
  cat <<'HEADER'
# Generated from charts/roomcast by scripts/render-manifests.sh: change it there.
#
# Secrets are not in it. Make them first, once:
#
#   kubectl create namespace roomcast
#   kubectl -n roomcast create secret generic roomcast-secrets \
#     --from-literal=internal-token="$(openssl rand -hex 32)" \
#     --from-literal=redis-password="$(openssl rand -hex 32)"
#   kubectl -n roomcast apply -f k8s/roomcast.yaml
#   kubectl -n roomcast port-forward service/roomcast-gateway 8080:80
#
# and open http://localhost:8080. The image is roomcast, tagged with the version: put your registry before it.
# Messages live in the pod of Valkey and end with it.
#
# AS IT STANDS EVERYTHING IS OPEN: whoever reaches a gateway reads every room and writes under any name, and whoever reaches the
# brokers and presence publishes, deletes, moderates, and sees who is where. docs/security.md, "Before it goes public", says how to
# close it: AUTH_JWT_SECRET or AUTH_JWKS_URL for gateways (docs/identity.md), API_KEYS and READ_REQUIRES_KEY for brokers and presence
# (docs/operations.md, "Keys and their scopes"), each from a Secret of yours.
HEADER
  # A fixed version of Kubernetes, so that the output does not depend on whose Helm it is.
  helm template roomcast charts/roomcast --namespace roomcast --no-hooks --kube-version 1.34.0 \
    --set internalToken.existingSecret=roomcast-secrets \
    --set internalToken.existingSecretKey=internal-token \
    --set redis.embedded.auth.existingSecret=roomcast-secrets \
    --set redis.embedded.auth.existingSecretKey=redis-password |
    # Helm is not who manages these.
    sed -e '/^# Source: /d' -e '/^ *helm.sh\/chart: /d' -e '/^ *app.kubernetes.io\/managed-by: /d'
}

# Rendered as a whole before anything is written: a failure leaves the file alone.
wanted=$(render)
if [[ ${1-} == --check ]]; then
  [[ $wanted == "$(cat k8s/roomcast.yaml)" ]] || {
    echo 'k8s/roomcast.yaml is not current: scripts/render-manifests.sh' >&2
    exit 1
  }
else
  printf '%s\n' "$wanted" >k8s/roomcast.yaml
fi
