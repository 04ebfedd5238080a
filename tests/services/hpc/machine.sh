#!/usr/bin/env bash
# One machine of the cluster: namespaces of its own, and process 1 in them.
#
#   machine.sh spawn NAME      on the host: becomes the machine
#   machine.sh boot NAME       in its namespaces, as their process 1
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

CONTROLLERS="memory cpuset cpu cpuacct devices freezer pids blkio"

# Into a cgroup of its own (below the one we are in, whatever that is), then into fresh namespaces.
spawn() { # NAME
  local name=$1 controllers path base dir
  while IFS=: read -r _ controllers path; do
    [[ " $CONTROLLERS " == *" $controllers "* && -n $controllers ]] || continue
    base=/sys/fs/cgroup/$controllers${path%/}
    [ -w "$base/cgroup.procs" ] || continue
    dir=$base/$HPC_NAME-$name-$$
    mkdir -p "$dir"
    if [ "$controllers" = cpuset ]; then
      cat "$base/cpuset.cpus" >"$dir/cpuset.cpus"; cat "$base/cpuset.mems" >"$dir/cpuset.mems"
    fi
    echo $$ >"$dir/cgroup.procs"
    echo "$dir" >>"$RUN/$name.cgroups"
  done </proc/self/cgroup
  exec nsenter --net="/run/netns/$(netns "$name")" \
    unshare --mount --uts --ipc --pid --cgroup --fork --kill-child=KILL "$HERE/machine.sh" boot "$name"
}

# A /dev of its own: none of the host's disks, and the GPUs. Their driver is missing, so that opening
# one fails with ENXIO, or with EPERM where the job did not ask for it.
make_devices() { # GPUS
  local i
  mount -t tmpfs -o mode=755,size=1m tmpfs dev
  mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/tty c 5 0
  [ ! -e /dev/fuse ] || mknod -m 666 dev/fuse c 10 229
  ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
  mkdir dev/pts dev/shm dev/mqueue
  mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts; ln -s pts/ptmx dev/ptmx
  mount -t tmpfs -o mode=1777,size=1g tmpfs dev/shm
  mount -t mqueue mqueue dev/mqueue 2>/dev/null || :
  for ((i = 0; i < $1; i++)); do mknod -m 666 "dev/nvidia$i" c 195 "$i"; done
}

# The machine's own file system tree, then init. pivot_root and not chroot: in a chroot the kernel
# refuses the user namespaces that apptainer lives on.
boot() { # NAME
  local name=$1 type gpus controller role=node
  read -r type gpus < <(awk -v n="$name" '$1 == n {print $3, $4}' <<<"$MACHINES")
  [ "$name" != hpc-login ] || role=login
  hostname "$name"
  mount --make-rprivate /
  mount --bind "$ROOT" "$ROOT"; mount -o remount,bind,ro "$ROOT"
  cd "$ROOT"

  mount -t proc proc proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs sys
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for controller in $CONTROLLERS; do
    grep -q ":$controller:" /proc/self/cgroup || continue
    mkdir "sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "sys/fs/cgroup/$controller"
  done
  make_devices "$gpus"
  mount -t tmpfs -o mode=755,size=64m tmpfs run; mkdir run/hpc run/lock
  mount --bind "$STATE/$name/tmp" tmp                     # a disk: images are built here
  mount -t tmpfs -o mode=1777,size=64m tmpfs var/tmp
  mount --bind "$STATE/home" home                         # shared, as over NFS
  mount --bind "$STATE/$name/log" var/log/hpc
  mount --bind "$STATE/$name/slurm" var/lib/slurm
  if [ $role = login ]; then
    mount --bind "$STATE/mysql" var/lib/mysql
    mount --bind "$RUN" run/hpc
  fi

  pivot_root . mnt
  cd /
  umount -l /mnt
  exec env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HPC_USERS="$HPC_USERS" \
    /usr/local/sbin/hpc-init $role
}

"$@"
