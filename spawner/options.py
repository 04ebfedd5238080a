"""What an administrator decides, beside all that KubeSpawner has: ``c.NGCSpawner.…``."""

from __future__ import annotations

from typing import Any

from jupyterhub.traitlets import Callable
from traitlets import Bool, Dict, Float, Integer, List, TraitError, Unicode, Union, validate
from traitlets.config import Configurable

#: Sizes of servers where a site names none.
SIZES = {
    "small": {"cpus": 2, "memory": "8G", "default": True},
    "medium": {"cpus": 8, "memory": "32G"},
    "large": {"cpus": 16, "memory": "128G"},
}


class Options(Configurable):
    """Traits of ``NGCSpawner``. Without ``images`` it is a KubeSpawner, with its own form."""

    # -- the form

    images = Union(
        [Unicode(), List(), Callable()],
        default_value="",
        config=True,
        help="""
        Images that users choose from. 'ngc': NVIDIA's images of frameworks, the newest first. Else
        a list whose items are names, or dicts with 'image' and any of 'name', 'framework',
        'version', 'python', 'cuda', 'note' and 'default'; or a callable of the spawner that gives
        such a list, which may be async. Empty: no form of ours.
        """,
    )
    image_count = Integer(
        8, config=True, help="How many releases of each framework images='ngc' shows."
    )
    other_images = Bool(
        False, config=True, help="Whether users may name an image that is not on the list."
    )
    allowed_images = List(
        Unicode(),
        config=True,
        help="Patterns such as nvcr.io/nvidia/* for what users may name. Empty: anything.",
    )
    gpu_resource = Unicode("nvidia.com/gpu", config=True, help="What GPUs are to Kubernetes.")
    gpu_label = Unicode(
        "nvidia.com/gpu.product",
        config=True,
        help="Label of nodes that names their model of GPU (GPU feature discovery sets it).",
    )
    gpu_names = Dict(config=True, help="Values of that label, and what users call them.")
    gpu_counts = List(Integer(), [1, 2, 4, 8], config=True, help="Numbers of GPUs to choose from.")
    gpu_tolerations = List(
        Dict(),
        [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        config=True,
        help="Taints of GPU nodes, tolerated by servers that ask for GPUs.",
    )
    location_label = Unicode(
        "", config=True, help="Label of nodes that tells where they are. Empty: not asked."
    )
    locations = Dict(config=True, help="Values of that label, and what users call them.")
    sizes = Dict(
        SIZES,
        config=True,
        help="""
        Presets by name: 'cpus' and 'memory' (limits; half of the cores is guaranteed), perhaps
        'display_name', 'default' and 'kubespawner_override'. Empty: not asked.
        """,
    )
    folders = Dict(
        config=True,
        help="""
        Shared folders by name: 'mount' (where users find it), 'volume' (as Kubernetes writes one,
        without its name), perhaps 'sub_path', 'read_only', 'default' (ticked) and 'display_name'.
        """,
    )
    chosen_folders = Dict(help="Folders that the user of this server has ticked, by name.")
    nodes_seconds = Float(
        5.0, config=True, help="Seconds for which what is known of the nodes is taken for true."
    )

    # -- the pod

    server_image = Unicode(
        "",
        config=True,
        help="""
        Image with JupyterHub's single-user server, made by `python -m
        jupyter_hybrid_spawner.server_image`. It is laid beside the user's image by an init
        container and runs on its Python. Empty: images have `jupyterhub-singleuser` themselves.
        """,
    )
    server_inside = Bool(
        False,
        config=True,
        help="""
        Whether the server is a layer of users' images themselves (server_image --base IMAGE):
        nothing is copied at the start, and each image is made anew for each hub.
        """,
    )
    image_python = Unicode("python3", config=True, help="The Python in users' images.")
    keep_entrypoint = Bool(
        None,
        allow_none=True,
        config=True,
        help="""
        Whether an image's ENTRYPOINT runs first. Unset: not where it is NVIDIA's, which prints a
        banner, or where server_image is set.
        """,
    )
    shm_size = Unicode(
        "",
        config=True,
        help="""
        Size of /dev/shm, which PyTorch's data loaders need, such as 8Gi. Empty: as much as the
        server's memory allows. 'none': the 64 MB of the container runtime.
        """,
    )
    restricted = Bool(
        True,
        config=True,
        help="""
        Whether pods keep to Kubernetes' restricted Pod Security Standard: no capabilities, the
        runtime's seccomp profile, and not root where the user is known.
        """,
    )
    identity = Union(
        [Dict(), Callable()],
        default_value={"uid": "uid", "gid": "gid", "groups": "groups"},
        config=True,
        help="""
        Who the user is on the shared storage. A dict says where auth_state has 'uid', 'gid' and
        'groups' ('ldap.uidNumber' goes down into dicts); a callable of the spawner and auth_state
        gives a dict with these three, and may be async. Nothing known: the image's user.
        """,
    )
    home = Dict(
        config=True,
        help="""
        Where homes are: 'volume' (as Kubernetes writes one, without its name), perhaps 'sub_path'
        ('{unescaped_username}'), 'mount' ('/home/{unescaped_username}'), 'create' (True: an init
        container with the right to do so makes it, for the user alone) and 'create_image' (that
        container's image, which has sh, mkdir and chown. Unset: server_image, else the server's own
        image where the site has chosen it; an image that a user names makes no homes).
        """,
    )
    proxy = Dict(
        config=True,
        help="The company's proxy: 'http', 'https' and 'none' (a list of hosts without one).",
    )
    ca_bundle = Unicode(
        "",
        config=True,
        help="CONFIGMAP/KEY in the pods' namespace with all certificate authorities to trust.",
    )
    hybrid_config = Unicode(
        "",
        config=True,
        help="""
        Name of a ConfigMap in the pods' namespace with configuration of jupyter-hybrid
        (jupyter_hybrid_config.py): the site's targets, known to every server.
        """,
    )
    jobs_service_account = Unicode(
        "",
        config=True,
        help="""
        Service account for servers whose users run jobs on this cluster. Pods get its token, and
        none without it. deploy/jobs-role.yaml has one that may do just that.
        """,
    )

    # -- the start

    image_pull_timeout = Integer(
        3600,
        config=True,
        help="Seconds that pulling the image may take, beside start_timeout for all the rest.",
    )

    @validate("images")
    def _known_images(self, proposal: dict[str, Any]) -> Any:
        value = proposal["value"]
        if isinstance(value, str) and value not in ("", "ngc"):
            raise TraitError(
                f"c.NGCSpawner.images is {value!r}; write 'ngc' for NVIDIA's, or a list of names"
            )
        return value

    @validate("ca_bundle")
    def _named_key(self, proposal: dict[str, Any]) -> Any:
        value = proposal["value"]
        if value and value.count("/") != 1:
            raise TraitError(f"c.NGCSpawner.ca_bundle is {value!r}; write CONFIGMAP/KEY")
        return value

    @validate("folders")
    def _whole_folders(self, proposal: dict[str, Any]) -> Any:
        for name, folder in proposal["value"].items():
            if not isinstance(folder, dict) or not {"mount", "volume"} <= set(folder):
                raise TraitError(
                    f"c.NGCSpawner.folders[{name!r}] is {folder!r}; it needs 'mount' and 'volume'"
                )
        return proposal["value"]
