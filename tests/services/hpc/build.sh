# Builds the root file system that all machines of the cluster share: Debian trixie, Slurm, Apptainer.
# shellcheck shell=bash
# Sourced after settings.sh. Whatever is changed here builds a new one.

# Run a command in the root file system. A mount namespace of its own, so that nothing is left
# mounted; this machine's network, for apt.
in_rootfs() { # ROOT COMMAND...
  local root=$1; shift
  unshare --mount --pid --fork --kill-child bash -c '
    set -e; root=$1; shift
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"; mount -t tmpfs tmpfs "$root/tmp"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' - "$root" "$@"
}

logged() { # NAME COMMAND... : silent where it works
  local name=$1; shift
  "$@" >"$RUN/$name.log" 2>&1 || { tail "$RUN/$name.log" >&2; die "$name failed"; }
}

# Debian, from wherever this machine gets its own packages.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Component: main' | grep -v security | head -n 1; }

build() {
  [ ! -e "$ROOT/etc/hpc-built" ] || return 0
  local new=$HPC_DIR/rootfs.new source
  source=$(mirror)
  [ -n "$source" ] || die "no Debian mirror known: run apt-get update"
  rm -rf --one-file-system "$new"
  say "debootstrap"
  logged debootstrap unshare --mount debootstrap --variant=minbase --include=ca-certificates \
    trixie "$new" "$source"
  configure_apt "$new" "$source"
  say "packages"
  # shellcheck disable=SC2086
  logged packages in_rootfs "$new" bash -ec 'apt-get -qq update; apt-get -qq -y install "$@" apptainer' - $PACKAGES
  say "users, database, Python"
  make_users "$new"
  logged database make_database "$new"
  make_python "$new"
  rm -rf "$new"/var/lib/apt/lists/* "$new"/var/cache/apt/*.bin "$new/usr/sbin/policy-rc.d" "$new/etc/resolv.conf"
  touch "$new/etc/hpc-built"
  rm -rf --one-file-system "$ROOT"; mv "$new" "$ROOT"
  say "built: $(du -sh --one-file-system "$ROOT" | cut -f1)"
}

configure_apt() { # ROOT MIRROR
  # Small and quick: no docs, no fsync, no services started by package scripts.
  printf '%s\n' force-unsafe-io path-exclude=/usr/share/{doc,man,locale,info}/'*' >"$1/etc/dpkg/dpkg.cfg.d/hpc"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"; chmod +x "$1/usr/sbin/policy-rc.d"
  # The mirror may be a frozen copy, whose (signed) Release file has outlived its date.
  printf '%s;\n' 'Acquire::Check-Valid-Until "false"' 'Acquire::Languages "none"' \
    'APT::Install-Recommends "false"' >"$1/etc/apt/apt.conf.d/90hpc"
  # trixie, and from sid only apptainer, which trixie lacks.
  rm -f "$1/etc/apt/sources.list"
  printf 'deb %s trixie main\ndeb %s sid main\n' "$2" "$2" >"$1/etc/apt/sources.list.d/hpc.list"
  printf 'Package: *\nPin: release n=sid\nPin-Priority: 1\n\nPackage: apptainer\nPin: release n=sid\nPin-Priority: 990\n' \
    >"$1/etc/apt/preferences.d/hpc"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
}

make_users() { # ROOT
  local uid=1000 user
  for user in $HPC_USERS; do
    in_rootfs "$1" useradd --create-home --shell /bin/bash --uid $uid "$user"; uid=$((uid + 1))
  done
  in_rootfs "$1" useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin mysql
  # Mount points for what each machine has of its own.
  in_rootfs "$1" bash -ec '[ -e /etc/munge/munge.key ] || mungekey; mkdir -p /var/lib/slurm /var/log/hpc /run/hpc'
}

# One database, owned by slurm, who comes in over the unix socket as itself.
make_database() { # ROOT
  rm -rf "$1/etc/mysql/mariadb.conf.d"; mkdir -p "$1/etc/mysql/mariadb.conf.d"
  install -m 644 "$HERE/etc/mariadb.cnf" "$1/etc/mysql/mariadb.conf.d/hpc.cnf"
  in_rootfs "$1" bash -ec '
    rm -rf /var/lib/mysql; mkdir -p /var/lib/mysql /run/mysqld
    chown mysql:mysql /var/lib/mysql /run/mysqld
    mariadb-install-db --user=mysql --auth-root-authentication-method=socket --skip-test-db
    # --bootstrap runs without the privilege tables: FLUSH loads them first.
    printf "%s\n" "FLUSH PRIVILEGES;" "CREATE DATABASE slurm_acct_db;" \
      "CREATE USER slurm@localhost IDENTIFIED VIA unix_socket;" \
      "GRANT ALL ON slurm_acct_db.* TO slurm@localhost;" | mariadbd --bootstrap --user=mysql
    mv /var/lib/mysql /var/lib/mysql.new; mkdir /var/lib/mysql'
}

# What a site would offer as a module: Python with a kernel and what runs notebooks, beside Debian's
# mpi4py. Compiled, as any site has it: the users cannot write there, and every job would compile anew.
make_python() { # ROOT
  in_rootfs "$1" python3 -m venv --without-pip --system-site-packages /opt/jupyter
  # shellcheck disable=SC2086
  "${PYTHON:-python3}" "$HERE/python_packages.py" "$1/opt/jupyter" $PYTHON_PACKAGES
  in_rootfs "$1" /opt/jupyter/bin/python -m compileall -q -j 0 /opt/jupyter/lib
}
