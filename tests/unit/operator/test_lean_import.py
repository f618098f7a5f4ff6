"""The operator imports only the needed modules of the official client."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def run(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


CONNECT = """
import asyncio, sys
from retraining_operator.kube.connection import connect
from retraining_operator.kube.errors import NoClusterAccessError

async def main():
    try:
        async with connect("n", "/nowhere"):
            pass
    except NoClusterAccessError:
        print("refused")

asyncio.run(main())
"""


def test_start_imports_neither_the_synchronous_client_nor_the_models() -> None:
    program = (
        "import sys, retraining_operator.kube.connection; "
        "print(*(name for name in sys.modules if 'kubernetes' in name))"
    )
    found = run(program)
    assert "kubernetes.aio.client.api_client" in found
    assert [
        name for name in found if name.startswith(("kubernetes.config", "kubernetes.client.api"))
    ] == []
    assert "kubernetes.aio.client.api.core_v1_api" not in found
    assert run(
        "import sys, retraining_operator.kube.connection; print('requests' in sys.modules)"
    ) == ["False"]


def test_kubeconfig_is_read_although_its_module_is_imported_late() -> None:
    assert run(CONNECT) == ["refused"]


@pytest.mark.parametrize("probe", ["kubernetes.aio.client.no_such_module", "kubernetes.nowhere"])
def test_package_of_another_layout_is_imported_as_usual(probe: str) -> None:
    program = f"""
import sys
import retraining_operator.lean_import as lean
for name in [name for name in sys.modules if name.startswith("kubernetes")]:
    del sys.modules[name]
print(lean.skip_initialization(probes=[{probe!r}]))
import kubernetes.aio
print(kubernetes.aio.client.ApiClient.__name__, kubernetes.__version__[:3])
"""
    assert run(program)[:2] == ["False", "ApiClient"]


def test_later_import_of_the_whole_package_has_all_names() -> None:
    program = """
import retraining_operator.kube.connection
import kopf
from kubernetes import client, config
print(client.V1Pod.__name__, config.load_kube_config.__name__)
"""
    assert run(program) == ["V1Pod", "load_kube_config"]
