"""JupyterHub starts servers in NVIDIA's images, on the GPUs that are free: ``NGCSpawner``.

::

    options     what an administrator decides: the traits
    images      which images there are, and what each holds
    hardware    which GPUs there are, and what of them is free
    profiles    both, as profile_list wants it
    wishes      what users ask for, in the same words by form, web address and REST
    form        the page that they see
    identity    who the user is on the shared storage
    parts, pods  kubespawner's pod, with what NVIDIA's images and a shared storage want
    overrides   what a choice has set is gone with the next start
    starting    what happens while a pod starts, in plain words
    failures    starts that fail, as JupyterHub wants to be told of them
    watched     a KubeSpawner that says so, and does not wait for what cannot come
    spawner     all of it together
"""

from __future__ import annotations

from .spawner import NGCSpawner

__all__ = ["NGCSpawner"]
