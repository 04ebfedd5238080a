# What the cluster is: sourced by the other scripts.
# shellcheck shell=bash disable=SC2034

# A name for its network namespace, and where it lives; another pair is another cluster.
KUBE_NAME=${KUBE_NAME:-kube}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Addresses: a bridge inside the namespace with the node and its pods, and a link to this machine.
KUBE_NET=${KUBE_NET:-10.77}
NODE=gpu-node-1
NODE_IP=$KUBE_NET.0.1
LINK_IP=$KUBE_NET.1.1
HOST_IP=$KUBE_NET.1.2
SERVICES=$KUBE_NET.2.0/24
SERVICE_IP=$KUBE_NET.2.1                      # "kubernetes", as pods see the API server
REGISTRY=$NODE_IP:5000
SERVER=https://$NODE_IP:6443
# What images named like this stand for: all of them are pulled from the one registry.
MIRRORED="nvcr.io docker.io registry.lab $REGISTRY"
GPU_MODEL=Tesla-V100-SXM2-16GB
GPUS=4

# What the cluster runs; the server side is compiled from Debian's own source package.
PROGRAMS="kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl"
# What the base image of jobs has, at /opt/jupyter: as in NGC's images, no part of jupyter-hybrid.
PYTHON_PACKAGES="ipykernel papermill nbclient nbformat cloudpickle numpy"

export HOME=${HOME:-/root}                    # without one, kubectl keeps its cache where it stands
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jupyter-hybrid
# Each directory is named by all that decides what is built in it.
key() { cat "$@" | sha256sum | cut -c1-12; }
KUBE_BIN=$CACHE/kubernetes-bin-$(key "$HERE/build.sh" <(echo "$PROGRAMS"))
KUBE_IMAGES=$CACHE/kubernetes-images-$(key "$HERE/images.sh" "$HERE/archive.py" <(echo $PYTHON_PACKAGES))
KUBE_DIR=${KUBE_DIR:-$CACHE/$KUBE_NAME}
RUN=$KUBE_DIR/run                             # pid files, the containers' socket
LOGS=$KUBE_DIR/logs
PKI=$KUBE_DIR/pki
KUBECONFIG_FILE=$KUBE_DIR/kubeconfig
# A directory that pods may mount (hostPath), as a site's NFS is mounted everywhere.
SHARED=$KUBE_DIR/shared

die() { echo "kubernetes: $*" >&2; exit 1; }
say() { echo "kubernetes: $*" >&2; }

# `ip netns exec` would hide /sys/fs/cgroup behind a fresh sysfs, and the kubelet needs it.
in_ns() { nsenter --net="/run/netns/$KUBE_NAME" "$@"; }


# A pid file holds "PID START-TIME", so that a number used again is not taken for ours.
record() { echo "$2 $(awk '{print $22}' "/proc/$2/stat")" >"$RUN/$1.pid"; }
pid_of() { # NAME -> PID of the live process, or nothing
  local pid start
  read -r pid start 2>/dev/null <"$RUN/$1.pid" || return 0
  [ "$(awk '$3 != "Z" {print $22}' "/proc/$pid/stat" 2>/dev/null)" = "$start" ] && echo "$pid" || :
}
await() { # SECONDS WHAT COMMAND... : until it succeeds
  local deadline=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || { say "gave up waiting: $what"; return 1; }
    sleep 0.1
  done
}
logged() { # NAME COMMAND... : silent where it works
  local name=$1; shift
  mkdir -p "$LOGS"
  "$@" >"$LOGS/$name.log" 2>&1 || { tail "$LOGS/$name.log" >&2; die "$name failed"; }
}
