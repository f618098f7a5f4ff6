"""Names and addresses of the cluster, for all other files and templates."""

CGROUP = "retraining-cluster"
"""The cgroup of all processes of the cluster, and of no other process."""

NODE_NAME = "retraining"

LINK = "retrain0"
"""The host's end of the network link between the machine and the node."""

HOST_ADDRESS = "10.213.255.1"
NODE_ADDRESS = "10.213.255.2"
LINK_PREFIX = 30

POD_RANGE = "10.213.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"

SERVER = f"https://{NODE_ADDRESS}:6443"
"""The API server's address, from the machine and from the node."""

INSIDE = "/run/cluster"
"""The path of the state folder inside the node."""

PAUSE_IMAGE = "localhost/retraining-pause:1"


def template_values() -> dict[str, str]:
    """Return the values of the placeholders `${...}` in the files of `config/`."""
    return {
        "cgroup": CGROUP,
        "node_name": NODE_NAME,
        "node_address": NODE_ADDRESS,
        "pod_range": POD_RANGE,
        "dns_address": DNS_ADDRESS,
        "pause_image": PAUSE_IMAGE,
    }
