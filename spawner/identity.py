"""Who a user is on the shared storage: numbers, from what the authenticator knows."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_hybrid.errors import ConfigError


@dataclass(frozen=True)
class Identity:
    """Numbers of a user; None and empty where nobody says."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()


async def identify(source: Any, spawner: Any, auth_state: Any) -> Identity:
    """The user's numbers by ``c.NGCSpawner.identity``; raises ``ConfigError`` for what is none."""
    if callable(source):
        found = source(spawner, auth_state)
        found = await found if inspect.isawaitable(found) else found
        return read(found or {})
    return read({name: looked_up(auth_state, path) for name, path in source.items()})


def read(found: Mapping[str, Any]) -> Identity:
    """Numbers out of ``uid``, ``gid`` and ``groups``; raises ``ConfigError``."""
    uid, gid = _number("uid", found.get("uid")), _number("gid", found.get("gid"))
    if uid == 0:
        raise ConfigError("the user's number is 0, which is root's; no server runs as root")
    groups = found.get("groups") or ()
    if isinstance(groups, (str, int)):
        groups = str(groups).replace(",", " ").split()
    # names of groups say nothing to a file system
    numbers = [int(g) for g in groups if str(g).isdigit()]
    # nor does membership of root's group belong to a user
    return Identity(uid, gid, tuple(dict.fromkeys(n for n in numbers if n and n != gid)))


def looked_up(state: Any, path: str) -> Any:
    """``ldap.uidNumber`` in nested dicts; None where there is none. Of a list, the first."""
    for part in path.split("."):
        if not isinstance(state, Mapping):
            return None
        state = state.get(part)
    return state


def _number(name: str, value: Any) -> int | None:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if isinstance(value, bool) or number < 0:
        raise ConfigError(
            f"the user's {name} is {value!r}, which is no number; see c.NGCSpawner.identity"
        )
    return number
