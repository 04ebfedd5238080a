"""Set up what ``make demo`` and ``make test`` need: the virtual environment ``.venv``.

    python3 tests/tools/prepare.py demo|test

Runs on a bare Python (Debian's has neither venv's ensurepip nor pip) and does nothing in a few
milliseconds where everything is there. Packages come from wherever pip is configured to get them;
uv does the work where it can be had, in a tenth of pip's time (4 s against 42 s).
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "build" / "prepare.lock"
STAMP = VENV / "jupyter-hybrid-stamp.json"

#: Extras of setup.cfg by what is wanted.
EXTRAS = {"demo": "demo", "test": "test"}

#: Debian packages by what is wanted, for what starts programs.
DEBIAN_PACKAGES: dict[str, tuple[str, ...]] = {
    "demo": (),
    # the cluster of tests/services/hpc is made by debootstrap and the three after it
    "test": (
        *("task-spooler", "debootstrap", "socat", "iproute2", "openssh-client"),
        # images: registries (tests/registries.py), and what makes and reads images without us
        *("docker-registry", "podman", "buildah", "runc", "skopeo", "docker.io"),
        # the cluster of tests/services/kubernetes: what compiles it, and what it runs on
        *("golang-go", "golang-github-modern-go-reflect2-dev", "dpkg-dev", "rsync"),
        *("etcd-server", "containerd", "containernetworking-plugins"),
        *("conntrack", "iptables", "ebtables", "ethtool", "openssl", "busybox-static", "uidmap"),
        *("musl-tools", "make"),
        # a clock that is wrong (tests/faults)
        *("gcc", "libc6-dev"),
        *("curl", "procps"),
        # JupyterLab in a browser (tests/ui), in Japanese too
        *("chromium", "fonts-liberation", "fonts-ipafont-gothic"),
    ),
}

#: pip's settings and how uv is told the same.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "no-cache-dir": "UV_NO_CACHE",
}
#: Settings of pip that change nothing for uv.
UV_NEEDS_NOT = frozenset(
    {
        "break-system-packages",
        "cache-dir",
        "disable-pip-version-check",
        "no-color",
        "no-input",
        "no-warn-script-location",
        "progress-bar",
        "quiet",
        "require-virtualenv",
        "retries",
        "root-user-action",
        "user",
        "verbose",
    }
)


class Refused(Exception):
    """The set-up cannot go on; the message is for the person who called make."""


def main(arguments: list[str]) -> int:
    """Exit status 0 where everything is there, 1 with a sentence where it cannot be."""
    wanted = arguments[0] if len(arguments) == 1 else ""
    if wanted not in EXTRAS:
        print(f"usage: prepare.py {'|'.join(EXTRAS)}", file=sys.stderr)
        return 2
    if ready(wanted):
        return 0
    try:
        LOCK.parent.mkdir(exist_ok=True)
        with LOCK.open("w") as lock:
            # two makes at once: the second finds everything done
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready(wanted):
                prepare(wanted)
    except Refused as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"prepare: status {error.returncode} from: {shlex.join(error.cmd)}", file=sys.stderr)
        return 1
    return 0


def prepare(wanted: str) -> None:
    """Make the environment hold what is wanted, and note that it does."""
    missing = [name for name in DEBIAN_PACKAGES[wanted] if not installed(name)]
    if missing and may_apt():
        apt_install(missing)
    if not usable():
        make_venv()
    install(EXTRAS[wanted])
    STAMP.write_text(json.dumps({"digest": digest(), "sets": sorted({wanted, *sets()})}))


# -- the stamp


def ready(wanted: str) -> bool:
    """True where the environment was made for it from the same files by the same Python."""
    names = sets()
    return PYTHON.exists() and (wanted in names or (wanted == "demo" and "test" in names))


def sets() -> list[str]:
    """What the environment holds, if it is up to date."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return []
    return list(stamp["sets"]) if stamp.get("digest") == digest() else []


def digest() -> str:
    """Changes with everything that the environment is made from."""
    found = hashlib.sha256(f"{sys.version} {DEBIAN_PACKAGES}".encode())
    for name in ("setup.cfg", "pyproject.toml"):
        found.update((ROOT / name).read_bytes())
    # scripts and the editable install hold absolute paths: a moved checkout starts anew
    found.update(os.fsencode(ROOT))
    return found.hexdigest()


# -- the virtual environment


def usable() -> bool:
    """True where there is an environment of this very Python that has pip."""
    code = "import sys, pip; print(sys.version_info[:2], sys.prefix)"
    try:
        said = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return said.stdout.strip() == f"{sys.version_info[:2]} {VENV}"


def make_venv() -> None:
    """Make an empty environment, with apt's help where Debian's Python cannot do it alone."""
    try:
        import ensurepip  # noqa: F401  (Debian splits it off into python3-venv)
    except ImportError:
        package = venv_package()
        if not may_apt():
            raise Refused(
                "this Python cannot make virtual environments (it has no module ensurepip). "
                f"Install it, then call make again:\n\n    sudo apt-get install {package}\n"
            ) from None
        apt_install([package])
    say("a virtual environment in .venv, by Python " + sys.version.split()[0])
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def venv_package() -> str:
    """The Debian package that has ensurepip for this interpreter."""
    default = Path("/usr/bin/python3")
    if default.exists() and default.resolve() == Path(sys.executable).resolve():
        return "python3-venv"
    return "python{}.{}-venv".format(*sys.version_info)


# -- Debian's packages


def may_apt() -> bool:
    """True where Debian packages can be installed: root, and apt is there."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def installed(package: str) -> bool:
    """True where dpkg has the package, or where there is no dpkg to ask."""
    if shutil.which("dpkg-query") is None:
        return True
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, check=False).stdout == b"installed"


def apt_install(packages: list[str]) -> None:
    """Install Debian packages, asking nothing; the lists are fetched where that needs them."""
    say("Debian packages: " + " ".join(packages))
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    with no_daemons():
        if apt(install).returncode == 0:
            return
        apt(["apt-get", "update"])
        done = apt(install)
    if done.returncode != 0:
        raise Refused(f"apt-get cannot install {' '.join(packages)}:\n{done.stdout}")


@contextlib.contextmanager
def no_daemons(policy: Path = Path("/usr/sbin/policy-rc.d")) -> Iterator[None]:
    """Let no package start its daemon (invoke-rc.d(8)): tests start their own, on free ports."""
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


# -- Python's packages


def install(extra: str) -> None:
    """Install this checkout, editable, with an extra of setup.cfg."""
    say(f"Python packages (extra {extra!r} of setup.cfg)")
    # the tests and `make lab` build the JupyterLab extension when they need it
    os.environ.setdefault("JUPYTER_HYBRID_LABEXTENSION", "skip")
    install_packages(PYTHON, ["--editable", f"{ROOT}[{extra}]"])


def install_packages(python: Path, what: list[str]) -> None:
    """What ``pip install`` does, in that interpreter's environment; by uv where uv can."""
    environment = uv_environment(pip_settings(python))
    if environment is not None and fetch_uv(python):
        command = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
        if subprocess.run([*command, *what], env=environment, check=False).returncode == 0:
            return
        say("uv could not; pip tries")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *what], check=True)


def fetch_uv(python: Path) -> bool:
    """True where the environment has uv, or pip can install it."""
    commands = (
        [str(python), "-c", "import uv"],
        [str(python), "-m", "pip", "install", "--quiet", "uv"],
    )
    return any(
        subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in commands
    )


def pip_settings(python: Path) -> dict[str, str]:
    """pip's settings for an install: files and PIP_* variables, by pip's own precedence."""
    command = [str(python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return parse_pip_config(listed.stdout)


def parse_pip_config(text: str) -> dict[str, str]:
    """Settings in the output of ``pip config list``: ``global.cert='/etc/ca.crt'`` a line."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found and value:
            found[section][key] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def uv_environment(settings: dict[str, str]) -> dict[str, str] | None:
    """The environment in which uv does what pip would; None where a setting has no counterpart."""
    settings = {key: value for key, value in settings.items() if key not in UV_NEEDS_NOT}
    if not settings.keys() <= UV_NAMES.keys():
        return None
    environment = {}
    for key, value in settings.items():
        separator = "," if key == "find-links" else " "
        environment[UV_NAMES[key]] = separator.join(value.split())
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is not None:
        environment.setdefault("SSL_CERT_FILE", bundle)
    # pip takes the best version from all indexes
    environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["UV_NO_PROGRESS"] = "1"
    environment.update(os.environ)
    return environment


def say(text: str) -> None:
    print("prepare: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
