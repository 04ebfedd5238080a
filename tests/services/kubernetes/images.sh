# Makes the images of the tests, as archives: what holds a pod together, and a base image for jobs.
# shellcheck shell=bash
# Sourced after settings.sh. Whatever is changed here makes them anew.

BASE_PACKAGES=python3,python3-venv,ca-certificates,procps

build_images() {
  [ ! -e "$KUBE_IMAGES/complete" ] || return 0
  rm -rf --one-file-system "$KUBE_IMAGES"; mkdir -p "$KUBE_IMAGES/pause/bin" "$KUBE_IMAGES/small/bin"
  cp /bin/busybox "$KUBE_IMAGES/pause/bin/"
  archive pause pause:1 '{"Cmd": ["/bin/busybox", "sleep", "1000000000"]}'
  say "base image of jobs"
  logged debootstrap base_tree
  logged python python_tree
  # As NGC's images are: an entry point that prints, variables, a workspace.
  archive base base:1 '{"Entrypoint": ["/opt/lab/entrypoint"], "WorkingDir": "/workspace",
    "Env": ["PATH=/opt/jupyter/bin:/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "NVIDIA_VISIBLE_DEVICES=all"],
    "Labels": {"com.nvidia.build.ref": "of the tests"}}'
  # The same for a machine that this is not.
  archive pause arm:1 '{"Cmd": ["/bin/busybox", "true"]}' arm64
  rm -rf --one-file-system "$KUBE_IMAGES"/{pause,base,small}
  touch "$KUBE_IMAGES/complete"
}

archive() { # TREE NAME CONFIG [ARCHITECTURE]
  python3 "$HERE/archive.py" "$KUBE_IMAGES/$1" "$KUBE_IMAGES/${2%:*}.tar" "$2" "$3" "${4:-$(dpkg --print-architecture)}"
}

# (What a failed command in these would end is a matter of who calls: each says so itself.)
base_tree() {
  local mirror; mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Component: main' | grep -v security | head -n 1)
  unshare --mount debootstrap --variant=minbase --include="$BASE_PACKAGES" bookworm "$KUBE_IMAGES/base" "$mirror" || return
  rm -rf "$KUBE_IMAGES/base"/{var/cache/apt,var/lib/apt/lists,usr/share/{doc,man,locale},dev}/*
  mkdir -p "$KUBE_IMAGES/base"/{workspace,opt/lab}
  printf '#!/bin/sh\necho "=== an image of the tests ==="\nexec "$@"\n' >"$KUBE_IMAGES/base/opt/lab/entrypoint"
  chmod 755 "$KUBE_IMAGES/base/opt/lab/entrypoint"
}

python_tree() {
  chroot "$KUBE_IMAGES/base" python3 -m venv --without-pip /opt/jupyter || return
  # shellcheck disable=SC2086
  "${PYTHON:-python3}" "$HERE/../hpc/python_packages.py" "$KUBE_IMAGES/base/opt/jupyter" $PYTHON_PACKAGES || return
  # what a first start would otherwise compile, in every container again
  chroot "$KUBE_IMAGES/base" /opt/jupyter/bin/python -m compileall -q /opt/jupyter/lib /usr/lib/python3 || :
}

push_images() {
  local name
  for name in pause:1 base:1 arm:1; do
    [ ! -e "$KUBE_DIR/registry/docker/registry/v2/repositories/${name%:*}" ] || continue
    import "$name" "$KUBE_IMAGES/${name%:*}.tar"
  done
}
import() { # NAME ARCHIVE
  in_ns skopeo copy -q --insecure-policy --dest-tls-verify=false "docker-archive:$2" "docker://$REGISTRY/$1"
}
