"""Makes the image that ``c.NGCSpawner.server_image`` names: JupyterHub's server, for many Pythons.

::

    python -m jupyter_hybrid_spawner.server_image registry.site/hub/server:1

Without a daemon and without root: layers are appended to a small base through the registry's API.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from jupyter_hybrid.containers.append import Append, Pushed, append
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.containers.servers import PLATFORM, server_layers
from jupyter_hybrid.errors import HybridError

#: Any image with a shell and ``cp`` in it will do; making homes takes ``mkdir`` and ``chown``.
BASE = "docker.io/library/busybox:stable"
#: Those of NVIDIA's images since 2023.
PYTHONS = ("3.10", "3.12")


def parser() -> argparse.ArgumentParser:
    """Options of the program."""
    made = argparse.ArgumentParser(
        prog="python -m jupyter_hybrid_spawner.server_image",
        description=(__doc__ or "").partition("::")[0],
    )
    made.add_argument("target", help="what the image is to be called, with its registry and a tag")
    made.add_argument(
        "--base", default=BASE, help=f"a small image with a shell and cp in it (default: {BASE})"
    )
    made.add_argument(
        "--python",
        action="append",
        metavar="X.Y",
        help=f"a Python of users' images; may be repeated (default: {', '.join(PYTHONS)})",
    )
    made.add_argument(
        "--with",
        dest="more",
        action="append",
        metavar="REQUIREMENT",
        help="a package beside the server, as pip names it, or 'name @ file:///path/to.whl'; may "
        "be repeated (default: jupyter-hybrid, in the version that is installed here)",
    )
    made.add_argument(
        "--insecure", action="append", default=[], metavar="HOST", help="a registry without TLS"
    )
    made.add_argument("--platform", default=PLATFORM, help=f"as uv names it (default: {PLATFORM})")
    return made


async def push(options: argparse.Namespace) -> Pushed:
    """Make the image and push it; what is there already is not sent again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-hybrid"
    more = options.more or [f"jupyter-hybrid=={version('jupyter-hybrid')}"]
    # the hub refuses servers of another major version
    hub = version("jupyterhub")
    requirements = [f"jupyterhub=={hub}", "jupyterlab>=4", "ipykernel>=6.20"]
    pythons = options.python or list(PYTHONS)
    made = await server_layers(cache / "servers", requirements, more, pythons, options.platform)
    settings = RegistrySettings(insecure_registries=options.insecure)
    async with RegistryClient(settings) as client:
        base = await client.image(parse_reference(options.base))
        wish = Append(base, made.layers, parse_reference(options.target))
        return await append(client, wish, cache / "notes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with the image's name and digest printed, or a sentence on standard error."""
    options = parser().parse_args(arguments)
    try:
        pushed = asyncio.run(push(options))
    except HybridError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"c.NGCSpawner.server_image = {str(pushed.reference)!r}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
