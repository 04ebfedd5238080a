"""Run uv: resolve for an image's Python and platform, and unpack wheels from its cache."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError
from ..programs import run_program
from .locks import Lock, Locked, parse_lock

_NO_NETWORK = re.compile(
    r"dns error|error sending request|connect error|connection refused|network is unreachable"
    r"|timed out|tunnel error",
    re.I,
)
#: What uv says where its cache does not suffice.
_NOT_CACHED = re.compile(r"network was disabled|network connectivity is disabled|offline", re.I)
_SOURCE_ONLY = re.compile(r"Wheels are required for `([A-Za-z0-9._-]+)`")
_NO_WHEELS = re.compile(r"\b([a-z0-9][\w.-]*)(?:[=<>!~]=?\S+)? ha(?:s|ve) no (?:usable )?wheels")
#: Source-only packages that one layer may have.
_MOST_BUILT = 20
#: Seconds that uv may take where it builds packages, and where it only fetches them.
_BUILDING, _FETCHING = 120.0, 3600.0
#: Minor versions of Python 3 that are asked for a wheel where the image's has none.
_OTHERS = (12, 11, 10, 13, 9, 14, 8)


@dataclass(frozen=True)
class Wanted:
    """What is to be resolved, and for what."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    #: Versions that are taken where they fit.
    preferences: Mapping[str, str]
    #: ``3.10.12`` and uv's name of the platform.
    python: str
    platform: str
    #: Packages that are left out of the lock: the image's.
    leave_out: frozenset[str] = frozenset()


class Unresolvable(ImageError):
    """There is no set of versions that meets all requirements."""


class NoNetwork(ImageError):
    """An index could not be reached, and uv's cache does not have what it would have said."""


class Uv:
    """uv with an environment that says where packages come from."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    async def resolve(self, wanted: Wanted, work: Path) -> Lock:
        """The lock; raises ``Unresolvable`` with uv's reason in one sentence, ``NoNetwork``.

        ``work`` is an empty directory that stays the caller's.
        """
        (work / "requirements.in").write_text("\n".join((*wanted.requirements, "")))
        (work / "constraints.txt").write_text("\n".join((*wanted.constraints, "")))
        output = work / "lock.txt"
        preferred = [f"{name}=={version}" for name, version in wanted.preferences.items()]
        built: list[str] = []
        while True:
            # uv takes what an existing lock says for a wish
            output.write_text("\n".join((*preferred, "")))
            status, said = await self._compile(wanted, work, built)
            if status == 0:
                packages = parse_lock(output.read_text(), wanted.leave_out)
                names = {package.name for package in packages}
                kept = tuple(sorted(names & set(built)))
                return Lock(wanted.python, wanted.platform, packages, kept)
            more = [line for line in source_only(said) if _name(line) not in built]
            if not more or len(built) > _MOST_BUILT:
                raise Unresolvable(parse_complaint(said))
            for line in more:
                await self._require_source(line, wanted, work)
                built.append(_name(line))

    async def _require_source(self, line: str, wanted: Wanted, work: Path) -> None:
        """Raise ``Unresolvable`` where the package has wheels, just none for this Python.

        Such a one has extensions in C: building it takes long, and gives nothing for the image.
        """
        (work / "one.in").write_text(f"{line}\n")
        for minor in _OTHERS:
            command = ["pip", "compile", "one.in", "--no-deps", "--no-header", "--quiet"]
            command += ["--python-version", f"3.{minor}", "--python-platform", wanted.platform]
            status, _ = await self._online_or_not([*command, *_builds(())], work)
            if status == 0:
                raise Unresolvable(
                    f"{line} has no wheel for Python {wanted.python} on {wanted.platform}, though "
                    f"it has one for Python 3.{minor}."
                )

    async def _compile(self, wanted: Wanted, work: Path, built: Sequence[str]) -> tuple[int, str]:
        command = ["pip", "compile", "requirements.in", "-c", "constraints.txt", "-o", "lock.txt"]
        command += ["--python-version", wanted.python, "--python-platform", wanted.platform]
        command += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
        return await self._online_or_not([*command, *_builds(built)], work)

    async def unpack(self, lock: Lock, target: Path, work: Path) -> None:
        """Lay the lock's packages out in the directory; raises ``ImageError``, ``NoNetwork``."""
        hashed = [package for package in lock.packages if package.hashes]
        direct = [package for package in lock.packages if not package.hashes]
        for name, packages in (("hashed.txt", hashed), ("direct.txt", direct)):
            if not packages:
                continue
            (work / name).write_text("".join(f"{package.line}\n" for package in packages))
            command = ["pip", "install", "--target", str(target), "--no-deps", "-r", name]
            # whatever the user's uv.toml says: links into their cache would be no packages
            command += ["--link-mode", "hardlink", "--no-compile-bytecode"]
            command += ["--python-version", lock.python, "--python-platform", lock.platform]
            command += ["--require-hashes"] if packages is hashed else []
            built = [*lock.built, *(_built(direct))]
            command += ["--quiet", *_builds(built)]
            # mostly uv's cache has them: looking there first needs no network
            status, said = await self._run([*command, "--offline"], work)
            if status != 0 and _NOT_CACHED.search(said):
                status, said = await self._online_or_not(command, work)
            if status != 0:
                raise ImageError(_unpackable(said, lock))

    async def _online_or_not(self, command: Sequence[str], work: Path) -> tuple[int, str]:
        status, said = await self._run(command, work)
        if status == 0 or not _NO_NETWORK.search(said) or "No solution found" in said:
            return status, said
        status, again = await self._run([*command, "--offline"], work)
        if status != 0:
            raise NoNetwork(
                f"packages cannot be fetched: {parse_complaint(said)} What is cached here does "
                "not suffice; try again with a network, or set an index that can be reached in "
                "pip.conf"
            )
        return status, again

    async def _run(self, arguments: Sequence[str], work: Path) -> tuple[int, str]:
        from uv import find_uv_bin

        command = [find_uv_bin(), *arguments, "--python", sys.executable]
        builds = any(word.startswith("--no-binary=") for word in arguments)
        limit = _BUILDING if builds else _FETCHING
        try:
            ended = await run_program(command, seconds=limit, env=self._environ, cwd=work)
        except asyncio.TimeoutError:
            return 1, f"error: it took longer than {limit:.0f} seconds"
        except OSError as error:
            raise ImageError(f"uv cannot be started: {error}; install it with pip") from error
        return ended.status, ended.err.decode("utf-8", "replace")


def _builds(built: Sequence[str]) -> list[str]:
    # "--no-binary NAME" lifts "--only-binary :all:" for that package
    return ["--only-binary", ":all:", *(f"--no-binary={name}" for name in built)]


def _built(direct: Sequence[Locked]) -> list[str]:
    return [package.name for package in direct]


def source_only(text: str) -> list[str]:
    """Packages in uv's complaint that have no wheel for the Python in question.

    As requirements, ``docopt`` or ``numpy==1.26.4``.
    """
    names = sorted({*_SOURCE_ONLY.findall(text)} or {*_NO_WHEELS.findall(text)})
    joined = re.sub(r"\s+", " ", text)
    found = []
    for name in names:
        exact = re.search(rf"\b{re.escape(name)}==([\w.+!-]+) ha(?:s|ve) no", joined)
        found.append(f"{name}=={exact[1]}" if exact else name)
    return found


def _name(line: str) -> str:
    return line.partition("==")[0]


def _unpackable(said: str, lock: Lock) -> str:
    named = [p for p in lock.packages if p.name in lock.built and re.search(rf"\b{p.name}\b", said)]
    if named:
        titles = " and ".join(f"{p.name} {p.version}".strip() for p in named)
        return (
            f"{titles} has no wheel for Python {lock.python} on {lock.platform}, and building it "
            f"here failed: choose a version that has one, or an image that has it. uv says: "
            f"{parse_complaint(said)}"
        )
    return f"the layer's packages cannot be unpacked: {parse_complaint(said)}"


def parse_complaint(text: str) -> str:
    """What uv says in its last error, as one sentence without decoration or credentials."""
    lines = []
    for line in text.splitlines():
        bare = re.sub(r"^[\s×│├╰─▶]*(error:|cause:|Caused by:)?\s*", "", line)
        if re.match(r"(hint|warning)\b", bare):
            break
        if bare and not bare.startswith(("No solution found", "Using Python", "Resolved ")):
            lines.append(bare)
    joined = re.sub(r"\s+", " ", " ".join(lines)).strip()
    joined = re.sub(
        r",? (And because .*?,? )?we can conclude that your requirements are "
        r"unsatisfiable\.?$",
        "",
        joined,
    )
    # markers in braces: numpy{python_full_version < '3.12'}>=1.23.2
    joined = re.sub(r"\{[^{}]*\}", "", re.sub(r"://[^/@\s]+@", "://", joined))
    if len(joined) > 500:
        joined = joined[:500].rpartition(" ")[0] + " …"
    return (joined or text.strip()[-300:] or "uv gave no reason").rstrip(".,") + "."
