# Writes certificates and configuration files; at every start, so that a change needs no new build.
# shellcheck shell=bash
# Sourced after settings.sh. The keys are made once.

configure() {
  mkdir -p "$PKI" "$KUBE_DIR"/{cni,registry,etcd} "$SHARED" "$RUN" "$LOGS"
  chmod 700 "$PKI"
  make_certificates
  write_kubeconfig
  write_registry
  write_containerd
  write_kubelet
}

make_certificates() (
  [ ! -e "$PKI/server.pem" ] || exit 0
  cd "$PKI"
  quiet() { "$@" 2>/dev/null; }
  quiet openssl genrsa -out sa.key 2048
  quiet openssl rsa -in sa.key -pubout -out sa.pub
  quiet openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -keyout ca.key -out ca.pem \
    -subj "/CN=authority of the tests" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign,cRLSign
  quiet openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=kube-apiserver
  quiet openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.new -extfile <(
    echo "subjectAltName=IP:$NODE_IP,IP:$SERVICE_IP,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    echo "authorityKeyIdentifier=keyid"
    echo "extendedKeyUsage=serverAuth")
  openssl rand -hex 16 >token
  mv server.new server.pem
)

write_kubeconfig() {
  local token; token=$(cat "$PKI/token")
  echo "$token,admin,1,\"system:masters\"" >"$PKI/tokens.csv"
  # (JSON, which is YAML)
  cat >"$KUBECONFIG_FILE" <<JSON
{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
 "clusters": [{"name": "lab", "cluster": {"server": "$SERVER", "certificate-authority": "$PKI/ca.pem"}}],
 "users": [{"name": "admin", "user": {"token": "$token"}}],
 "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}]}
JSON
  chmod 600 "$KUBECONFIG_FILE" "$PKI"/*
}

write_registry() {
  cat >"$KUBE_DIR/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $KUBE_DIR/registry}, delete: {enabled: true}}
http: {addr: "$REGISTRY", secret: of the tests}
YAML
}

# Images named nvcr.io/… come from the registry of the tests, as behind a company's mirror.
write_containerd() {
  local name
  cat <<TOML
version = 2
root = "$KUBE_DIR/containerd"
state = "/run/$KUBE_NAME-containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$REGISTRY/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$KUBE_DIR/cni"
TOML
  for name in $MIRRORED; do
    printf '  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."%s"]\n    endpoint = ["http://%s"]\n' "$name" "$REGISTRY"
  done
  # what a test serves there (the same registry, for those who log in)
  printf '  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."private.lab"]\n    endpoint = ["http://127.0.0.1:5001"]\n'
} >"$KUBE_DIR/containerd.toml"

write_kubelet() {
  cat >"$KUBE_DIR/cni/10-bridge.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "br0", "ipMasq": false, "ipam": {"type": "host-local", "dataDir": "$RUN/cni",
   "ranges": [[{"subnet": "$KUBE_NET.0.0/24", "rangeStart": "$KUBE_NET.0.20", "rangeEnd": "$KUBE_NET.0.250", "gateway": "$NODE_IP"}]],
   "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  # Cgroups of pods are as they are on this machine; nothing is evicted but for want of memory.
  cat >"$KUBE_DIR/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
address: $NODE_IP
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
failSwapOn: false
resolvConf: ""
maxPods: 200
kubeAPIQPS: 50
kubeAPIBurst: 100
serializeImagePulls: false
nodeStatusUpdateFrequency: 2s
volumeStatsAggPeriod: 3s
containerLogMaxSize: ${KUBE_LOG_SIZE:-10Mi}
evictionHard: {memory.available: "100Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
YAML
}
