"""A DaemonSet that has images on GPU nodes before anybody waits for them.

::

    python -m jupyter_hybrid_spawner.prepuller --count 2 | kubectl apply -f -

Each image is an init container that does nothing; nodes with GPU taints are tolerated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from jupyter_hybrid.containers.restricted import RESTRICTED

from .images import Image, listed, nvidias

#: What holds the pod when all images are there.
PAUSE = "registry.k8s.io/pause:3.10"
#: GPU feature discovery sets it on nodes with GPUs.
GPU_NODES = {"nvidia.com/gpu.present": "true"}
NAME = "ngc-prepuller"


def daemon_set(
    images: Sequence[Image], *, namespace: str, nodes: Mapping[str, str], pause: str = PAUSE
) -> dict[str, Any]:
    """The DaemonSet; the newest images, which are first, are pulled first."""
    pulls = [
        _container(f"image-{number}", image.image, command=["/bin/sh", "-c", "exit 0"])
        for number, image in enumerate(images)
    ]
    labels = {"app.kubernetes.io/name": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": dict(nodes),
                    "tolerations": [{"operator": "Exists"}],
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 0,
                    "initContainers": pulls,
                    "containers": [_container("pause", pause)],
                },
            },
        },
    }


def _container(name: str, image: str, **more: Any) -> dict[str, Any]:
    """Something small without any rights: of the images, nothing is run but a shell that ends."""
    security = {**RESTRICTED, "runAsNonRoot": True, "runAsUser": 65534}
    small = {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}}
    named = {"name": name, "image": image, **more}
    return {**named, "resources": small, "securityContext": security}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the DaemonSet as YAML."""
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_hybrid_spawner.prepuller",
        description=(__doc__ or "").partition("::")[0],
    )
    parser.add_argument(
        "images", nargs="*", help="images; none: NVIDIA's, as c.NGCSpawner.images = 'ngc' has them"
    )
    parser.add_argument(
        "--count", type=int, default=2, help="releases of each framework (default: 2)"
    )
    parser.add_argument("--namespace", default="jupyter", help="(default: jupyter)")
    parser.add_argument("--pause", default=PAUSE, help=f"what holds the pod (default: {PAUSE})")
    options = parser.parse_args(arguments)
    images = listed(options.images) if options.images else nvidias(options.count)
    made = daemon_set(images, namespace=options.namespace, nodes=GPU_NODES, pause=options.pause)
    # (through JSON: what occurs twice is written twice, not as a reference)
    sys.stdout.write(yaml.safe_dump(json.loads(json.dumps(made)), sort_keys=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
