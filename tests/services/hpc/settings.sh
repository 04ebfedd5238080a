# What the cluster is: sourced by the other scripts.
# shellcheck shell=bash disable=SC2034

# A name for its network namespaces, and (below) where it lives; another pair is another cluster.
HPC_NAME=${HPC_NAME:-hpc}
HPC_USERS=${HPC_USERS:-alice bob carol dave}             # users 1000, 1001, …; all with the same ssh key
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The machines: name, address, type and number of GPUs ("-": none).
MACHINES="
hpc-login 10.66.0.1  -    0
v100-01   10.66.0.11 v100 2
v100-02   10.66.0.12 v100 2
p100-01   10.66.0.21 p100 2
"
NODES=$(awk 'NF && $3 != "-" {print $1}' <<<"$MACHINES")
# What every node claims to have, whatever this machine has.
NODE_CPUS=4
NODE_MEMORY=4000

# mariadb-server-core and mariadb-client-core are the bare server and client: the full
# mariadb-server drags in perl, galera and rsync.
PACKAGES="openssh-server openssh-client openssh-sftp-server
  slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins slurm-wlm-mysql-plugin munge
  mariadb-server-core mariadb-client-core
  python3 python3-venv python3-mpi4py openmpi-bin libpmix2t64
  busybox-static squashfs-tools squashfuse fuse-overlayfs fuse2fs uidmap
  iproute2 procps socat rsync jq less ca-certificates"
# The environment that the site offers to jobs, at /opt/jupyter.
PYTHON_PACKAGES="ipykernel papermill nbclient nbformat cloudpickle numpy"

# The directory is named by all that decides what is built in it.
KEY=$(cat "$HERE/build.sh" "$HERE/etc/mariadb.cnf" <(echo $PACKAGES $PYTHON_PACKAGES $HPC_USERS) |
  sha256sum | cut -c1-12)
HPC_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/jupyter-hybrid
HPC_DIR=${HPC_DIR:-$HPC_CACHE/hpc-$KEY}

ROOT=$HPC_DIR/rootfs                          # the system: built once, read-only when up
STATE=$HPC_DIR/state                          # what the cluster changes: kept over stop and start
RUN=$HPC_DIR/run                              # pid files, the ssh socket, consoles
SSH=$HPC_DIR/ssh                              # what a client needs

# Slurm over cgroup v1 where this machine has its controllers there (the hybrid layout), else
# without: then neither memory nor devices are enforced.
HPC_CGROUPS=none
! grep -q ':freezer:' /proc/self/cgroup || HPC_CGROUPS=v1

die() { echo "hpc: $*" >&2; exit 1; }
say() { echo "hpc: $*" >&2; }

# With the key in it: checkouts of two versions have a cluster each, at the same time.
netns() { [ "$1" = hpc-login ] && echo "$HPC_NAME-$KEY" || echo "$HPC_NAME-$KEY-$1"; }

# A pid file holds "PID START-TIME", so that a number used again is not taken for ours.
record() { echo "$2 $(awk '{print $22}' "/proc/$2/stat")" >"$RUN/$1.pid"; }
pid_of() { # NAME -> PID of the live process, or nothing
  local pid start
  read -r pid start 2>/dev/null <"$RUN/$1.pid" || return 0
  [ "$(awk '$3 != "Z" {print $22}' "/proc/$pid/stat" 2>/dev/null)" = "$start" ] && echo "$pid" || :
}
init_of() { # NAME -> PID of the machine's process 1, as seen from here
  local pid; pid=$(pid_of "$1")
  [ -z "$pid" ] || tr -d ' ' <"/proc/$pid/task/$pid/children" 2>/dev/null || :
}
