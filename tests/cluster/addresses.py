"""Names and addresses of the cluster: every other file and template takes them from here."""

CGROUP = "retraining-cluster"
"""The cgroup that holds each process of the cluster: what is in it is ours, and nothing else is."""

NODE_NAME = "retraining"

LINK = "retrain0"
"""The host's end of the one link between the machine and the node."""

HOST_ADDRESS = "10.213.255.1"
NODE_ADDRESS = "10.213.255.2"
LINK_PREFIX = 30

POD_RANGE = "10.213.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"

SERVER = f"https://{NODE_ADDRESS}:6443"
"""The API server, as the machine and the node see it."""

INSIDE = "/run/cluster"
"""The state folder as the node sees it, wherever the checkout is."""

PAUSE_IMAGE = "localhost/retraining-pause:1"


def template_values() -> dict[str, str]:
    """Return the values that the files in `config/` name in `${...}`."""
    return {
        "cgroup": CGROUP,
        "node_name": NODE_NAME,
        "node_address": NODE_ADDRESS,
        "pod_range": POD_RANGE,
        "dns_address": DNS_ADDRESS,
        "pause_image": PAUSE_IMAGE,
    }
