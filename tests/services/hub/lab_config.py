"""The hub of the tests: the site's example, with the lab's addresses, users and image."""

import json
import os

from jupyterhub.auth import DummyAuthenticator

lab = json.loads(os.environ["JUPYTERHUB_LAB"])
c = get_config()  # noqa: F821  # pyright: ignore
load_subconfig(lab["example"])  # noqa: F821  # pyright: ignore

directory, host = lab["directory"], lab["host"]


class People(DummyAuthenticator):
    """Users whose numbers on the shared storage a directory service would tell."""

    async def authenticate(self, handler, data):
        """Everybody who gives a name."""
        name = await super().authenticate(handler, data)
        state = {"uid": 5000 + len(name), "gid": 500, "groups": [500, 501]}
        return {"name": name, "auth_state": state}


c.JupyterHub.authenticator_class = People
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"root"}
c.Authenticator.enable_auth_state = True
c.JupyterHub.bind_url = f"http://{host}:{lab['port']}/"
c.JupyterHub.hub_bind_url = f"http://{host}:{lab['port'] + 1}"
c.JupyterHub.hub_connect_ip = host
c.JupyterHub.hub_ip = host
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{lab['port'] + 2}"
c.ConfigurableHTTPProxy.command = lab["proxy"]
c.ConfigurableHTTPProxy.pid_file = f"{directory}/proxy.pid"
c.JupyterHub.db_url = f"sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{directory}/cookie_secret"
c.JupyterHub.services = [
    *c.JupyterHub.get("services", []),
    {"name": "tests", "api_token": lab["token"], "admin": True},
]
for service in c.JupyterHub.services:
    if service["name"] == "idle-culler" and lab["cull"]:
        service["command"] = [*service["command"][:-1], *lab["cull"]]
c.KubeSpawner.namespace = lab["namespace"]
# (services have no addresses of their own in the lab: the API server is asked directly)
c.KubeSpawner.environment = {
    "KUBERNETES_SERVICE_HOST": host,
    "KUBERNETES_SERVICE_PORT": "6443",
    **({"JUPYTERHUB_ACTIVITY_INTERVAL": "1"} if lab["cull"] else {}),
}
for name, value in lab["traits"].items():
    setattr(c.NGCSpawner, name, value)
