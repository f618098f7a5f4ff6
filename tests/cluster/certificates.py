"""Keys, certificates and kubeconfigs, made with openssl. Each cluster has its own CA."""

import base64
import json
import subprocess
from pathlib import Path

from tests.cluster.addresses import API_ADDRESS, NODE_ADDRESS, NODE_NAME, SERVER
from tests.cluster.errors import ClusterError
from tests.cluster.paths import SOURCE, Paths

SERVING_NAMES = ",".join(
    [
        f"IP:{NODE_ADDRESS}",
        f"IP:{API_ADDRESS}",
        "IP:127.0.0.1",
        f"DNS:{NODE_NAME}",
        "DNS:localhost",
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
    ]
)

SUBJECTS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-apiserver": "/CN=kube-apiserver",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
    "coredns": "/CN=system:coredns",
}
"""The names of the components in Kubernetes' built-in roles."""


def make(paths: Paths) -> None:
    """Create the CA, a certificate and a kubeconfig per subject, and the service accounts' key."""
    paths.pki.mkdir(mode=0o700, parents=True)
    _certificate(paths.pki, "ca", "/CN=retraining-cluster", ["basicConstraints=critical,CA:TRUE"])
    for name, subject in SUBJECTS.items():
        usage = ["extendedKeyUsage=serverAuth,clientAuth", f"subjectAltName={SERVING_NAMES}"]
        _certificate(
            paths.pki, name, subject, ["basicConstraints=critical,CA:FALSE", *usage], signed=True
        )
        _kubeconfig(paths.pki, name, paths.pki / f"{name}.kubeconfig")
    _openssl("genrsa", "-out", str(paths.pki / "service-accounts.key"), "2048")
    _kubeconfig(paths.pki, "admin", paths.kubeconfig)


def _certificate(
    folder: Path, name: str, subject: str, extensions: list[str], *, signed: bool = False
) -> None:
    authority = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key")] if signed else []
    _openssl(
        *(
            "req",
            "-x509",
            "-config",
            str(SOURCE / "config" / "openssl.cnf"),
            "-days",
            "3650",
            "-nodes",
        ),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *(
            "-keyout",
            str(folder / f"{name}.key"),
            "-out",
            str(folder / f"{name}.crt"),
            "-subj",
            subject,
        ),
        *(word for extension in extensions for word in ("-addext", extension)),
        *authority,
    )


def _kubeconfig(folder: Path, name: str, path: Path) -> None:
    def data(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": SERVER, "certificate-authority-data": data("ca.crt")}
    user = {"client-certificate-data": data(f"{name}.crt"), "client-key-data": data(f"{name}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "retraining", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "retraining", "context": {"cluster": "retraining", "user": name}}],
        "current-context": "retraining",
    }
    path.touch(mode=0o600)
    # JSON is valid YAML and needs no library.
    path.write_text(json.dumps(document, indent=2) + "\n")


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(
            f"openssl could not make the cluster's certificates: {done.stderr.strip()}"
        )
