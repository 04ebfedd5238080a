# Compiles the server side of Kubernetes from Debian's source package: six minutes of two cores, once.
# shellcheck shell=bash
# Sourced after settings.sh. Whatever is changed here builds anew.
# (Newer packages of Debian hold only kubectl; bookworm's source is Kubernetes 1.20.)

build_programs() {
  [ ! -e "$KUBE_BIN/complete" ] || return 0
  local work=$KUBE_BIN.work
  rm -rf "$work"; mkdir -p "$work" "$KUBE_BIN"
  say "source package"
  logged source fetch_source "$work"
  logged unpack unpack_source "$work"
  say "compiling, once; about six minutes"
  logged compile compile "$work/tree"
  local program
  for program in $PROGRAMS; do cp "$work/tree/_output/local/bin/linux/"*"/$program" "$KUBE_BIN/"; done
  rm -rf "$work"
  touch "$KUBE_BIN/complete"
}

# From wherever this machine gets its binary packages; its own list of sources stays as it is.
fetch_source() ( # DIRECTORY
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Component: main' | grep -v security | head -n 1)
  [ -n "$mirror" ] || die "no Debian mirror known: run apt-get update"
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb-src [signed-by=$keys] $mirror bookworm main" >"$1/sources.list"
  mkdir -p "$1/lists/partial"
  own=(-o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$1/lists"
       -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
  cd "$1"
  apt-get "${own[@]}" -q update
  apt-get "${own[@]}" -q source --download-only kubernetes
)

unpack_source() ( # DIRECTORY
  mkdir -p "$1/tree"
  tar xf "$1"/kubernetes_*.orig.tar.gz -C "$1/tree" --strip-components=1
  # Go 1.18 and newer break the vendored reflect2 1.0.1 (the API server dies under load): Debian's
  # own is newer.
  reflect2=$1/tree/vendor/github.com/modern-go/reflect2
  rm -rf "${reflect2:?}"/*
  cp /usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} "$reflect2/"
  mkdir -p "$1/tree/.go/src/k8s.io"
  ln -sfn ../../.. "$1/tree/.go/src/k8s.io/kubernetes"
)

compile() ( # TREE
  cd "$1"
  what=""
  for program in $PROGRAMS; do what+=" cmd/$program"; done
  env GOPATH="$PWD/.go" GOCACHE="$PWD/.gocache" GO111MODULE=off GOFLAGS=-trimpath CGO_ENABLED=0 \
    PATH="/usr/lib/go/bin:$PATH" make WHAT="$what" GOLDFLAGS="-s -w"
)
