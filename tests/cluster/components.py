"""The components of the cluster: their commands and their health endpoints."""

from dataclasses import dataclass

from tests.cluster.addresses import (
    INSIDE,
    NODE_ADDRESS,
    NODE_NAME,
    SERVER,
    SERVICE_RANGE,
)

PKI = f"{INSIDE}/pki"
CONFIG = f"{INSIDE}/config"


@dataclass(frozen=True)
class Component:
    """One program of the cluster."""

    name: str
    health: str
    """Answers with status 200 if the component works."""

    command: tuple[str, ...]


ETCD = Component(
    "etcd",
    f"http://{NODE_ADDRESS}:2381/health",
    (
        f"{INSIDE}/bin/etcd",
        f"--data-dir={INSIDE}/etcd",
        f"--listen-metrics-urls=http://{NODE_ADDRESS}:2381",
        # Data is safe if the process is killed, but not in a power failure. Disks can be slow.
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
        "--auto-compaction-retention=1h",
    ),
)

CONTAINERD = Component(
    "containerd",
    f"http://{NODE_ADDRESS}:1338/v1/metrics",
    ("/usr/bin/containerd", f"--config={CONFIG}/containerd.toml", "--log-level=warn"),
)

API_SERVER = Component(
    "kube-apiserver",
    f"{SERVER}/readyz",
    (
        f"{INSIDE}/bin/kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--tls-cert-file={PKI}/kube-apiserver.crt",
        f"--tls-private-key-file={PKI}/kube-apiserver.key",
        f"--client-ca-file={PKI}/ca.crt",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/admin.crt",
        f"--kubelet-client-key={PKI}/admin.key",
        # The node's name is not in DNS, so `kubectl logs` must use its address.
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI}/service-accounts.key",
        f"--service-account-signing-key-file={PKI}/service-accounts.key",
        f"--audit-policy-file={CONFIG}/audit.yaml",
        f"--audit-log-path={INSIDE}/log/audit.log",
        "--audit-log-maxsize=1000",
        "--profiling=false",
        "--v=1",
    ),
)

CONTROLLER_MANAGER = Component(
    "kube-controller-manager",
    f"https://{NODE_ADDRESS}:10257/healthz",
    (
        f"{INSIDE}/bin/kube-controller-manager",
        f"--kubeconfig={PKI}/kube-controller-manager.kubeconfig",
        f"--bind-address={NODE_ADDRESS}",
        f"--tls-cert-file={PKI}/kube-controller-manager.crt",
        f"--tls-private-key-file={PKI}/kube-controller-manager.key",
        "--authorization-always-allow-paths=/healthz",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={PKI}/service-accounts.key",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--controllers=*,-horizontal-pod-autoscaler-controller,-cloud-node-lifecycle-controller",
        "--leader-elect=false",
        # There is one node and the machine has two cores, so check less often.
        "--node-monitor-period=10s",
        "--node-monitor-grace-period=2m",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
        "--v=1",
    ),
)

SCHEDULER = Component(
    "kube-scheduler",
    f"https://{NODE_ADDRESS}:10259/healthz",
    (
        f"{INSIDE}/bin/kube-scheduler",
        f"--kubeconfig={PKI}/kube-scheduler.kubeconfig",
        f"--bind-address={NODE_ADDRESS}",
        f"--tls-cert-file={PKI}/kube-scheduler.crt",
        f"--tls-private-key-file={PKI}/kube-scheduler.key",
        "--authorization-always-allow-paths=/healthz",
        "--leader-elect=false",
        "--v=1",
    ),
)

KUBELET = Component(
    "kubelet",
    f"http://{NODE_ADDRESS}:10248/healthz",
    (
        f"{INSIDE}/bin/kubelet",
        f"--config={CONFIG}/kubelet.yaml",
        f"--kubeconfig={PKI}/kubelet.kubeconfig",
        f"--root-dir={INSIDE}/kubelet",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
        "--housekeeping-interval=30s",
        "--v=1",
    ),
)

PROXY = Component(
    "kube-proxy",
    f"http://{NODE_ADDRESS}:10256/healthz",
    (f"{INSIDE}/bin/kube-proxy", f"--config={CONFIG}/kube-proxy.yaml", "--v=1"),
)

DNS = Component(
    "coredns",
    f"http://{NODE_ADDRESS}:8181/ready",
    (f"{INSIDE}/bin/coredns", f"-conf={CONFIG}/Corefile"),
)

COMPONENTS = (ETCD, CONTAINERD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, DNS)
"""In start order. Each component waits until the previous one is healthy."""

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "kubectl",
)
"""The names under which the single Go binary is installed."""
