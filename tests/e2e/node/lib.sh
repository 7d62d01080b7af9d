# Settings and helpers of the node's scripts; sourced. Everything that a run writes is under $state.
# shellcheck shell=bash disable=SC2034
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
state=${DEPUTY_E2E_STATE:-$root/.e2e}
node=$state/node       # gone with the node
images=$state/images   # OCI archives that every new node gets

name=node0
address=10.10.0.1
pods=10.244.0.0/24
services=10.96.0.0/16
kubernetes_service=10.96.0.1
dns_service=10.96.0.10
cgroup=deputy-e2e      # the parent of every pod's cgroup
runtime=/run/containerd/containerd.sock   # in the node's own /run

export KUBECONFIG=$node/admin.conf

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# program NAME: where a pinned program is.
program() {
  "$root/hack/tools/tool" path "$1"
}

# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "not there in time: $what"
    sleep 0.1
  done
}

kubectl() {
  "$here/in" "$(program kubectl)" "$@"
}
