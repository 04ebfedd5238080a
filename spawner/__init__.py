"""JupyterHub starts servers in NVIDIA's images, on the GPUs that are free: ``NGCSpawner``.

::

    options     what an administrator decides: the traits
    images      which images there are, and what each holds
    hardware    which GPUs there are, and what of them is free
    profiles    both, as profile_list wants it
    form        what a user sees, and what comes back from it
    identity    who the user is on the shared storage
    pods        the pod: kubespawner's, with what NGC's images want
    overrides   what a choice has set is gone with the next start
    waiting     what happens while a pod starts, in plain words
    spawner     all of it together, as a KubeSpawner
"""

from __future__ import annotations

from .spawner import NGCSpawner

__all__ = ["NGCSpawner"]
