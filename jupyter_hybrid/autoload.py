"""Let IPython load the magics when it starts: our lines in a configuration file of others."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from .errors import ConfigError
from .files import replacing

#: IPython reads it in every kernel and in every shell on a terminal.
NAME = "ipython_config.py"
_BEGIN = b"# >>> jupyter hybrid autoload: 'jupyter hybrid autoload off' removes these lines >>>\n"
_END = b"# <<< jupyter hybrid autoload <<<\n"
# appended, never assigned: what others load is kept. It may outlive this package
_LINES = b"""\
import importlib.util
if importlib.util.find_spec("jupyter_hybrid"):
    get_config().InteractiveShellApp.extensions.append("jupyter_hybrid")
"""
_BLOCK = re.compile(rb"\n?" + re.escape(_BEGIN) + rb".*?" + re.escape(_END), re.DOTALL)


def environment_file() -> Path:
    """What every kernel of this Python environment reads, whoever starts it."""
    return Path(sys.prefix, "etc", "ipython", NAME)


def user_file() -> Path:
    """What this user's kernels read, in every environment."""
    told = os.environ.get("IPYTHONDIR")
    directory = Path(told).expanduser() if told else Path.home() / ".ipython"
    return directory / "profile_default" / NAME


def autoloading(file: Path) -> bool:
    """True where the file has our lines."""
    return _BLOCK.search(_read(file)) is not None


def switch(file: Path, on: bool) -> bool:
    """Put our lines at the end of the file, or take them out; True where that changed something.

    The rest of the file stays as it is, byte for byte. A file that has nothing else goes.
    Raises ``ConfigError`` where the file cannot be written.
    """
    # a link stays one
    file = file.resolve()
    before = _read(file)
    after = _BLOCK.sub(b"", before)
    if on:
        # the line before may lack its end
        after += (b"\n" if after else b"") + _BEGIN + _LINES + _END
    if after == before:
        return False
    try:
        _write(file, after)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}") from error
    return True


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error


def _write(file: Path, content: bytes) -> None:
    if not content:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else None
    with replacing(file) as stream:
        stream.write(content)
    if mode is not None:
        file.chmod(mode)
