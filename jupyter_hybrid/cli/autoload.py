"""``autoload``: have ``%%remote`` in every kernel, or no longer."""

from __future__ import annotations

from argparse import Namespace

from .. import autoload as lines
from ..errors import ConfigError
from .terminal import Terminal


def autoload(options: Namespace, terminal: Terminal) -> int:
    """Switch it on or off for the environment or the user; without either, say where it is on."""
    file = lines.user_file() if options.user else lines.environment_file()
    if options.switch is not None:
        try:
            lines.switch(file, options.switch == "on")
        except ConfigError as error:
            hint = "" if options.user else "; --user does it for you alone"
            raise ConfigError(f"{error}{hint}") from error
    found = [
        {"scope": scope, "file": str(path), "on": lines.autoloading(path)}
        for scope, path in (
            ("environment", lines.environment_file()),
            ("user", lines.user_file()),
        )
    ]
    if options.json:
        terminal.document(found)
        return 0
    rows = [(str(row["scope"]), "on" if row["on"] else "off", str(row["file"])) for row in found]
    terminal.table(("FOR", "AUTOLOAD", "FILE"), rows)
    if not any(row["on"] for row in found):
        terminal.say(
            "say '%load_ext jupyter_hybrid' in a notebook, or 'jupyter hybrid autoload on' here"
        )
    elif options.switch is not None:
        terminal.say("kernels that are running already keep what they have")
    return 0
