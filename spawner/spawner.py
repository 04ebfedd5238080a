"""``NGCSpawner``: a KubeSpawner whose users choose an image of NVIDIA's and the GPUs for it."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlparse

from traitlets import TraitError, default

from . import form, images, parts, pods, profiles, wishes
from .failures import NotOffered
from .hardware import Cluster, View
from .identity import Identity, identify
from .options import Options
from .overrides import Overrides
from .watched import Watched

#: Who a user is whom nobody has numbered, in images that would start as root.
NOBODY = Identity(1000, 100)


class NGCSpawner(Options, Watched):
    """Starts servers in NVIDIA's images as they are, as the user, on the GPUs that are free."""

    user_options: dict[str, Any]
    #: What is known of the cluster, for all users of one hub.
    clusters: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Cluster]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: What the user's choice has set, and what the site's group_overrides have set before it.
        self._overrides, self._groups = Overrides(), Overrides()
        self._choosing = False
        self._auth_state: Any = None
        self._identity = Identity()
        super().__init__(*args, **kwargs)
        #: Images that the site has written down, and no user.
        self._site_images = {self.image}

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

    @default("profile_list")
    def _profile_list_default(self) -> Any:
        return self.ngc_profiles if self.images else []

    async def ngc_profiles(self, spawner: Any = None) -> list[dict[str, Any]]:
        """The one profile of our form; a site may add others in a ``profile_list`` of its own."""
        if self.images == "ngc":
            found = images.nvidias(self.image_count)
        else:
            listed = self.images(self) if callable(self.images) else self.images
            found = images.listed(await listed if inspect.isawaitable(listed) else listed)
        cluster = self.clusters.setdefault(asyncio.get_running_loop(), Cluster())
        known = [*self._sorted_dict_values(self.tolerations), *self.gpu_tolerations]
        tolerations = [t for t in known if isinstance(t, dict)]
        view = View(
            self.gpu_label, self.gpu_resource, self.location_label, self.node_selector, tolerations
        )
        hardware = await cluster.hardware(self.api, view, self.nodes_seconds)
        return [profiles.profile(found, hardware, self)]

    def _render_options_form(self, profile_list: list[dict[str, Any]]) -> str:
        site = self.profile_form_template or self.additional_profile_form_template_paths
        if site or not _ours(profile_list):
            return str(super()._render_options_form(profile_list))
        profile_list = self._get_initialized_profile_list(profile_list)
        wish = self.user_options or {}
        if (wish.get("profile") or profiles.SLUG) == profiles.SLUG:
            try:
                wish = wishes.whole(wish, _ours(profile_list))
            except ValueError:
                # the hub keeps by REST whatever was sent, also what was refused
                wish = {}
        return form.render(profile_list, wish)

    def _options_from_form(self, formdata: dict[str, list[str]]) -> dict[str, Any]:
        if not self.images:
            return dict(super()._options_from_form(formdata))
        fields = {name: values for name, values in formdata.items() if name not in wishes.SHORT}
        found = super()._options_from_form(fields)
        # a field for another image that nobody filled in
        found = {n: v for n, v in found.items() if v or not n.endswith(wishes.UNLISTED)}
        return {**found, **wishes.from_fields(formdata)}

    def _validate_user_options(self, profile_list: list[dict[str, Any]]) -> None:
        try:
            self._check_user_options(profile_list)
        except (ValueError, TypeError) as error:
            raise NotOffered(str(error)) from error

    def _check_user_options(self, profile_list: list[dict[str, Any]]) -> None:
        ours, wish = _ours(profile_list), self.user_options or {}
        named = wish.get("profile")
        if profile_list and not named:
            # (kubespawner checks nothing where no profile is named, and applies its options)
            short = ours and set(wish) & set(wishes.SHORT)
            named = profiles.SLUG if short else self._get_profile("", profile_list)["slug"]
        if not ours or named != profiles.SLUG:
            if wish and named:
                self.user_options = wish = {**wish, "profile": named}
            if wish and profile_list:
                wishes.check_choices(wish, self._get_profile(named, profile_list))
            super()._validate_user_options(profile_list)
            return
        self.user_options = wish = wishes.whole(wish, ours)
        super()._validate_user_options(profile_list)
        wishes.check(wish, ours)
        if other := wish.get(f"image{wishes.UNLISTED}"):
            wishes.check_image(other, self.allowed_images)

    def _load_profile(self, slug: str | None, profile_list: list[dict[str, Any]]) -> None:
        self._site_images |= images.written(
            profile
            for profile in profile_list
            # (a callable may list what users have made)
            if not callable(self.images if "hardware" in profile else self.profile_list)
        )
        try:
            super()._load_profile(slug, profile_list)
        except (TraitError, ValueError) as error:
            # what a user wrote into a field of the site's is no size, number, …
            raise NotOffered(str(error)) from error

    def _apply_overrides(self, spawner_override: dict[str, Any]) -> None:
        # (the hub applies group_overrides by it as well, before the start: they stay)
        overrides = self._overrides if self._choosing else self._groups
        overrides.about_to(self, spawner_override)
        if not self._choosing and isinstance(spawner_override.get("image"), str):
            self._site_images.add(spawner_override["image"])
        super()._apply_overrides(spawner_override)
        overrides.done(self)

    def clear_state(self) -> None:
        """Forget the stopped server, what its user had chosen, and who the user was."""
        self._overrides.undo(self)
        self._groups.undo(self)
        self._auth_state = None
        super().clear_state()

    async def load_user_options(self) -> None:
        """Apply what the user chose to this spawner, and nothing of what was chosen before."""
        self._overrides.undo(self)
        self._choosing = True
        try:
            await super().load_user_options()
        finally:
            self._choosing = False

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
        home = {key: self._expanded(value) for key, value in self.home.items()}
        found = parts.shared_memory(self.shm_size)
        found += parts.home(home, self.user.name, who, self._home_maker(image))
        found += parts.authorities(self.ca_bundle)
        found += parts.proxies(self.proxy, urlparse(self.hub.api_url).hostname or "")
        found += parts.configuration(self.hybrid_config)
        if self.server_image:
            found += parts.server(self.server_image, self.image_pull_policy, who)
        for name in self.chosen_folders:
            if name in self.folders:
                found += parts.folder(name, self.folders[name])
        return found

    def _home_maker(self, image: str) -> str:
        """The image in which homes are made; empty where there is none but a user's."""
        # (what has a user's name in it may be what that user has pushed)
        sites = image in self._site_images and "{" not in image
        return self.server_image or (image if sites else "")

    def _expanded(self, value: Any) -> Any:
        if isinstance(value, str):
            # (of what ends in a name, kubespawner takes "-" away: "ada-" would be "ada")
            return self._expand_user_properties(f"{value}/")[:-1]
        return self._expand_all(value)

    def _set_command(self, pod: Any) -> None:
        if {"command", "args"} & set(self.extra_container_config):
            # the site's own
            return
        nvidias = self.image.startswith("nvcr.io/")
        own = self.server_image or self.server_inside
        keep = self.keep_entrypoint
        keep = not (nvidias or own) if keep is None else keep
        if own:
            words = [self.image_python, f"{parts.SERVER}/start.py", *self.get_args()]
        elif nvidias or (self.cmd and not keep):
            words = [*(self.cmd or ["jupyterhub-singleuser"]), *self.get_args()]
        else:
            # kubespawner's, or what the image starts by itself
            return
        pods.run(pod, words, entrypoint=keep)


def _ours(profile_list: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Our profile among them; empty where there is none."""
    return next((profile for profile in profile_list if "hardware" in profile), {})
