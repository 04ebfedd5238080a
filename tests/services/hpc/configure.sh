# Writes the cluster's configuration at every start, so that a change here needs no new build.
# shellcheck shell=bash
# Sourced after settings.sh. The keys are made once.

machines() { # COMMAND : for every machine, with name, address, type and number of GPUs
  local name address type gpus
  while read -r name address type gpus; do
    [ -z "$name" ] || "$1" "$name" "$address" "$type" "$gpus"
  done <<<"$MACHINES"
}

configure() {
  mkdir -p "$SSH" "$ROOT/etc/slurm"; chmod 700 "$SSH"
  configure_ssh
  machines hosts_line | cat <(echo "127.0.0.1 localhost") - >"$ROOT/etc/hosts"
  echo hpc-login >"$ROOT/etc/hostname"
  echo "# no name servers here" >"$ROOT/etc/resolv.conf"      # apptainer build wants the file
  {
    echo "ClusterName=$HPC_NAME"
    cat "$HERE/etc/slurm.conf"
    # Jobs live in cgroups: no process escapes, too much memory is OUT_OF_MEMORY, and a GPU that
    # was not asked for cannot be opened.
    if [ "$HPC_CGROUPS" = v1 ]; then
      printf '%s\n' ProctrackType=proctrack/cgroup TaskPlugin=task/cgroup JobAcctGatherType=jobacct_gather/cgroup
    else
      printf '%s\n' ProctrackType=proctrack/linuxproc JobAcctGatherType=jobacct_gather/linux
    fi
    machines node_line
    partition_lines
  } >"$ROOT/etc/slurm/slurm.conf"
  machines gres_line >"$ROOT/etc/slurm/gres.conf"
  # The hybrid layout: all controllers in cgroup v1. Cores are not constrained, because the nodes
  # claim more of them than there are.
  if [ "$HPC_CGROUPS" = v1 ]; then
    printf '%s\n' CgroupPlugin=cgroup/v1 ConstrainCores=no ConstrainRAMSpace=yes ConstrainSwapSpace=no ConstrainDevices=yes
  else
    echo CgroupPlugin=disabled
  fi >"$ROOT/etc/slurm/cgroup.conf"
  install -m 600 "$HERE/etc/slurmdbd.conf" "$ROOT/etc/slurm/slurmdbd.conf"
  chroot "$ROOT" chown slurm /etc/slurm/slurmdbd.conf
  install -m 755 "$HERE/init" "$ROOT/usr/local/sbin/hpc-init"
}

configure_ssh() {
  [ -e "$SSH/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "tests@$HPC_NAME" -f "$SSH/id_ed25519"
  [ -e "$SSH/host_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "$HPC_NAME" -f "$SSH/host_ed25519"
  rm -f "$ROOT"/etc/ssh/ssh_host_*
  install -m 600 "$SSH/host_ed25519" "$ROOT/etc/ssh/ssh_host_ed25519_key"
  install -m 644 "$HERE/etc/sshd.conf" "$ROOT/etc/ssh/sshd_config.d/hpc.conf"
  echo "$HPC_NAME $(cut -d' ' -f1,2 "$SSH/host_ed25519.pub")" >"$SSH/known_hosts"
  # By a unix socket: needs no free port, and no root.
  cat >"$SSH/config" <<CONFIG
Host $HPC_NAME
  User ${HPC_USERS%% *}
  ProxyCommand socat - UNIX-CONNECT:$RUN/sshd.sock
  HostKeyAlias $HPC_NAME
  IdentityFile $SSH/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $SSH/known_hosts
  StrictHostKeyChecking yes
  LogLevel ERROR
CONFIG
}

hosts_line() { echo "$2 $1"; }
node_line() {
  [ "$3" = - ] || echo "NodeName=$1 NodeAddr=$2 CPUs=$NODE_CPUS RealMemory=$NODE_MEMORY" \
    "Gres=gpu:$3:$4 Feature=$3 State=UNKNOWN"
}
# A partition for each type of GPU; the first one is the default.
partition_lines() {
  awk -v first=YES 'NF && $3 != "-" {
      nodes[$3] = nodes[$3] (nodes[$3] ? "," : "") $1; if (!seen[$3]++) order[++count] = $3
    } END { for (i = 1; i <= count; i++)
      print "PartitionName=" order[i] " Nodes=" nodes[order[i]] " Default=" (i == 1 ? "YES" : "NO") \
        " DefaultTime=10 MaxTime=1-0 State=UP" }' <<<"$MACHINES"
}
# File= makes Slurm number the devices: CUDA_VISIBLE_DEVICES is the number at the end of the name,
# and the devices cgroup guards the device behind it.
gres_line() {
  [ "$3" = - ] || echo "NodeName=$1 AutoDetect=off Name=gpu Type=$3 File=/dev/nvidia[0-$(($4 - 1))]"
}
