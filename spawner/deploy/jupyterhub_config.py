"""A JupyterHub whose users get NVIDIA's images on GPU nodes: an example to begin with.

    pip install 'jupyter-hybrid[hub]' jupyterhub-idle-culler
    jupyterhub -f jupyterhub_config.py

Every line says what a site decides. What KubeSpawner has besides works as well.
"""

import sys

# What follows is read by JupyterHub, which gives get_config.
c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "ngc"
# the page that tells how a start goes comes at once
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}

# -- what users choose from

# NVIDIA's images of frameworks; or a list: ["nvcr.io/nvidia/pytorch:25.06-py3", …]
c.NGCSpawner.images = "ngc"
# others may be named, if they are NVIDIA's
c.NGCSpawner.other_images = True
c.NGCSpawner.allowed_images = ["nvcr.io/nvidia/*"]
# the label by which the nodes in the basement and those in the cloud are told apart
c.NGCSpawner.location_label = "example.org/location"
c.NGCSpawner.locations = {"onprem": "On premises", "cloud": "Cloud"}
c.NGCSpawner.sizes = {
    "small": {"cpus": 2, "memory": "8G", "default": True},
    "medium": {"cpus": 8, "memory": "32G"},
    "large": {"cpus": 32, "memory": "128G"},
}
c.NGCSpawner.folders = {
    "data": {
        "display_name": "Measurements",
        "mount": "/data",
        "volume": {"nfs": {"server": "nas.example.org", "path": "/export/data"}},
        "read_only": True,
        "default": True,
    },
}

# -- who users are, and where their homes are

# auth_state of the authenticator has these; 'ldap.uidNumber' would go down into dicts
c.Authenticator.enable_auth_state = True
c.NGCSpawner.identity = {"uid": "uid", "gid": "gid", "groups": "groups"}
c.NGCSpawner.home = {
    "volume": {"nfs": {"server": "nas.example.org", "path": "/export/home"}},
    "sub_path": "{unescaped_username}",
    "mount": "/home/{unescaped_username}",
}

# -- what pods are like

# python -m jupyter_hybrid_spawner.server_image registry.example.org/hub/server:1
c.NGCSpawner.server_image = "registry.example.org/hub/server:1"
c.KubeSpawner.namespace = "jupyter"
# c.KubeSpawner.image_pull_secrets = ["nvcr"]
# c.NGCSpawner.proxy = {"https": "http://proxy.example.org:3128", "none": [".example.org"]}
# c.NGCSpawner.ca_bundle = "company-ca/ca.crt"
# jobs of the servers' users on this cluster: jobs-role.yaml, and their targets in a ConfigMap
# c.NGCSpawner.jobs_service_account = "hybrid-jobs"
# c.NGCSpawner.hybrid_config = "hybrid-targets"

# -- what is not used ends; running jobs and GPUs in use count as activity

c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    }
]

# beside the pull of an image, which may take longer
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 120
