"""Where packages come from: pip's settings in the words of uv, which does not read them.

A site says once, in ``pip.conf``, which mirror and which certificates there are.
"""

from __future__ import annotations

import configparser
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: pip's settings and uv's variables.
NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
_SOURCES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE")
#: Settings of somebody's session that decide what would be resolved or where it would go.
_NOT_OURS = (
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PYTHON_PLATFORM", "UV_TORCH_BACKEND", "UV_RESOLUTION"),
    *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_REQUIRE_HASHES", "UV_NO_BINARY", "UV_ONLY_BINARY"),
    *("UV_TARGET", "UV_PREFIX", "UV_LINK_MODE", "UV_COMPILE_BYTECODE"),
)


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """pip's configuration files, later ones win (pip's documentation, "Configuration")."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = Path(environ.get("HOME") or "~").expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    files.append(Path(sys.prefix, "pip.conf"))
    named = environ.get("PIP_CONFIG_FILE")
    return [*files, Path(named)] if named else files


def parse_pip_config(texts: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings for an install, from its files' texts and ``PIP_*`` variables."""
    settings: dict[str, str] = {}
    for text in texts:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            continue  # pip itself says what is wrong with it
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(parser.items(section))
    for name in NAMES:
        value = environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            settings[name] = value
    return {name: " ".join(value.split()) for name, value in settings.items() if value.strip()}


def uv_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment in which uv takes packages from where pip would."""
    found = {}
    for name, value in settings.items():
        if name in NAMES:
            found[NAMES[name]] = value.replace(" ", ",") if name == "find-links" else value
    if "UV_DEFAULT_INDEX" in found or "UV_INDEX" in found:
        # pip takes the best version from all indexes
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def uv_environment(
    extra: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for uv: its own settings where there are any, else pip's; then ``extra``."""
    environ = os.environ if environ is None else environ
    base = {name: value for name, value in environ.items() if name not in _NOT_OURS}
    if not any(name in base for name in _SOURCES):
        texts = []
        for path in pip_files(environ):
            try:
                texts.append(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                continue
        base = {**uv_variables(parse_pip_config(texts, environ)), **base}
    certificates = ssl.get_default_verify_paths().cafile
    if certificates is not None:
        base.setdefault("SSL_CERT_FILE", certificates)
    base.update(extra or {})
    base.update(UV_PYTHON_DOWNLOADS="never", UV_NO_PROGRESS="1", NO_COLOR="1")
    return base
