"""``NGCSpawner``: a KubeSpawner whose users choose an image of NVIDIA's and the GPUs for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from kubespawner import KubeSpawner

from . import parts, pods
from .identity import Identity, identify
from .options import Options
from .overrides import Overrides

#: Who a user is whom nobody has numbered, in images that would start as root.
NOBODY = Identity(1000, 100)


class NGCSpawner(Options, KubeSpawner):
    """Starts servers in NVIDIA's images as they are, as the user, on the GPUs that are free."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._overrides = Overrides()
        self._auth_state: Any = None
        self._identity = Identity()
        super().__init__(*args, **kwargs)

    # -- who

    async def run_auth_state_hook(self, auth_state: Any) -> None:
        """Keep what the authenticator knows of the user for this start."""
        self._auth_state = auth_state
        await super().run_auth_state_hook(auth_state)

    async def _identify(self) -> Identity:
        if self.uid is not None:
            # the site's configuration has it, for everybody or by a callable
            return Identity()
        found = await identify(self.identity, self, self._auth_state)
        return NOBODY if found.uid is None and self.images else found

    # -- choices

    def _apply_overrides(self, spawner_override: dict[str, Any]) -> None:
        self._overrides.about_to(self, spawner_override)
        super()._apply_overrides(spawner_override)
        self._overrides.done(self)

    def clear_state(self) -> None:
        """Forget the stopped server, and what its user had chosen."""
        self._overrides.undo(self)
        super().clear_state()

    async def load_user_options(self) -> None:
        """Apply what the user chose to this spawner, and nothing of what was chosen before."""
        self._overrides.undo(self)
        await super().load_user_options()

    # -- the pod

    def get_env(self) -> dict[str, Any]:
        """The server's variables; the site's own are the last word."""
        return {**self._parts().env, **super().get_env()}

    async def get_pod_manifest(self) -> Any:
        """Kubespawner's pod, with what NVIDIA's images, the storage and the site's rules want."""
        self._identity = who = await self._identify()
        pod = await super().get_pod_manifest()
        pods.belong(pod, who)
        pods.add(pod, self._parts())
        if self.jobs_service_account:
            pod.spec.service_account_name = self.jobs_service_account
            pod.spec.automount_service_account_token = True
        self._set_command(pod)
        pods.tolerate(pod, self.gpu_tolerations, self.gpu_resource)
        if self.restricted:
            pods.restrict(pod)
        return pod

    def _parts(self) -> parts.Parts:
        who, image = self._identity, self.image
        home = {
            key: self._expand_user_properties(value) if isinstance(value, str) else value
            for key, value in self.home.items()
        }
        found = parts.shared_memory(self.shm_size)
        found += parts.home(home, self.user.name, who, image)
        found += parts.authorities(self.ca_bundle)
        found += parts.proxies(self.proxy, urlparse(self.hub.api_url).hostname or "")
        found += parts.configuration(self.hybrid_config)
        if self.server_image:
            found += parts.server(self.server_image, self.image_pull_policy)
        for name in self.chosen_folders:
            if name in self.folders:
                found += parts.folder(name, self.folders[name])
        return found

    def _set_command(self, pod: Any) -> None:
        nvidias = self.image.startswith("nvcr.io/")
        if self.server_image:
            words = [self.image_python, f"{parts.SERVER}/start.py", *self.get_args()]
        elif nvidias or self.cmd:
            words = [*(self.cmd or ["jupyterhub-singleuser"]), *self.get_args()]
        else:
            # what the image starts by itself
            return
        keep = self.keep_entrypoint
        pods.run(
            pod, words, entrypoint=not (nvidias or self.server_image) if keep is None else keep
        )
