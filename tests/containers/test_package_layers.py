"""Layers of packages, made by uv for real Pythons of this machine."""

import asyncio
import base64
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import corpus
import pytest
from jobs import until
from layered import run_on

from jupyter_hybrid.containers.environments import PackageLayers
from jupyter_hybrid.containers.layer_store import LayerStore, PackageLayer, Packed
from jupyter_hybrid.containers.locks import Lock
from jupyter_hybrid.containers.tars import Entry
from jupyter_hybrid.containers.uv import Uv
from jupyter_hybrid.environment.diff import LAYER, Difference, Row, diff
from jupyter_hybrid.environment.facts import (
    FactsCache,
    ImageFacts,
    ImagePackage,
    parse_probe,
    probe_command,
)
from jupyter_hybrid.environment.installed import Origin
from jupyter_hybrid.environment.needs import Environment, Need
from jupyter_hybrid.errors import ImageError, PlaceError

DEBIAN = "/usr/bin/python3"
debian = pytest.mark.needs("root", "debian", f"path:{DEBIAN}")


def probed(*candidates: str, path: str = os.defpath) -> ImageFacts:
    command = probe_command(candidates)
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return parse_probe(f"= A banner =\n{done.stdout}")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> ImageFacts:
    """An image like this machine: this Python without its packages."""
    venv = tmp_path_factory.mktemp("image") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    return probed(str(venv / "bin" / "python"))


def wanting(*lines: str, **preferences: str) -> Difference:
    rows = tuple(Row(LAYER, line.split("=")[0], requirement=line, bare=line) for line in lines)
    return Difference(rows, preferences=preferences)


def make(directory: Path, difference: Difference, facts: ImageFacts) -> PackageLayer | None:
    return asyncio.run(PackageLayers(directory).layer(difference, facts))


def names(layer: PackageLayer) -> list[str]:
    with tarfile.open(layer.layer.path) as tar:
        return tar.getnames()


# -- facts


def test_the_probe_tells_this_python(bare: ImageFacts) -> None:
    assert bare.python == sys.version.split()[0]
    assert bare.packages == {}
    assert (bare.machine, bare.libc[0]) == (os.uname().machine, "glibc")
    assert bare.site == (bare.pth,)
    assert ImageFacts.from_json(json.loads(json.dumps(bare.to_json()))) == bare


@debian
def test_the_probe_reads_debians_packages() -> None:
    facts = probed(DEBIAN)
    assert facts.usable
    assert facts.pth == "/usr/lib/python3/dist-packages"
    # a small Debian has none
    installed = [*Path(facts.pth).glob("*.dist-info"), *Path(facts.pth).glob("*.egg-info")]
    assert bool(facts.packages) == bool(installed)


def test_images_without_a_python_that_can_be_used(tmp_path: Path) -> None:
    assert probed("no-such-python").python is None
    old = tmp_path / "python3"
    # what a real Python 3.6 and a real 2.7 print, by the guard in front of the probe
    old.write_text('#!/bin/sh\necho \'jupyter-hybrid-facts:{"python": "3.6.15"}\'\nexit 3\n')
    old.chmod(0o755)
    facts = probed("python3", path=f"{tmp_path}:/usr/bin:/bin")
    assert (facts.python, facts.usable) == ("3.6.15", False)
    both = probed("python3", sys.executable, path=f"{tmp_path}:/usr/bin:/bin")
    assert both.usable


def pythons() -> list[str]:
    """Interpreters of this machine, of whatever version: Debian's, pyenv's, this one."""
    installed = [
        *Path("/usr/bin").glob("python3.?*"),
        *Path.home().glob(".pyenv/versions/*/bin/python"),
    ]
    return sorted(
        {sys.executable, *(str(p) for p in installed if re.search(r"python[\d.]*$", p.name))}
    )


@pytest.mark.parametrize("python", pythons())
def test_the_probe_answers_in_every_python_of_this_machine(python: str) -> None:
    code = "import sys; sys.stdout.write('%d.%d.%d' % sys.version_info[:3])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    facts = probed(python)
    assert facts.minor == tuple(map(int, done.stdout.split(".")[:2]))
    assert facts.usable == (facts.minor >= (3, 8))
    assert bool(facts.executable) == facts.usable


@pytest.mark.parametrize("text", ["", "a banner\n", "jupyter-hybrid-facts:{broken"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(PlaceError, match="probe"):
        parse_probe(text)


def test_facts_are_kept_by_digest(tmp_path: Path, bare: ImageFacts) -> None:
    cache, digest = FactsCache(tmp_path / "facts"), "sha256:" + "ab" * 32
    assert cache.get(digest) is None
    cache.put(digest, bare)
    assert cache.get(digest) == bare
    (tmp_path / "facts" / ("ab" * 32 + ".json")).write_text("half")
    assert cache.get(digest) is None
    with pytest.raises(ValueError, match="not a sha256"):
        cache.get("latest")


# -- layers


def test_a_layer_has_what_is_missing_and_nothing_else(tmp_path: Path, bare: ImageFacts) -> None:
    facts = replace(bare, packages={"six": ImagePackage("1.16.0", (), ("six",))})
    wanted = wanting("python-dateutil==2.9.0.post0", "tqdm==4.67.1")
    made = make(tmp_path, wanted, facts)
    assert made is not None
    assert made.packages == {"python-dateutil": "2.9.0.post0", "tqdm": "4.67.1"}
    found = names(made)
    below = made.directory.lstrip("/")
    assert f"{below}/dateutil/parser/_parser.py" in found
    assert not [name for name in found if name.endswith((".pyc", "direct_url.json", "REQUESTED"))]
    outside = [n for n in found if not n.startswith(below) and not below.startswith(n)]
    # the one file elsewhere is how the image's Python finds it, and the directories above that
    assert [n for n in outside if n.endswith(".pth")] == [
        f"{str(facts.pth).lstrip('/')}/zz-jupyter-hybrid-{made.lock[:16]}.pth"
    ]
    with tarfile.open(made.layer.path) as tar:
        program = tar.extractfile(f"{below}/bin/tqdm")
        assert program is not None
        assert program.read().splitlines()[0].decode() == f"#!{facts.executable}"


def test_the_same_question_is_answered_from_the_disk(
    tmp_path: Path, bare: ImageFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(tmp_path, wanting("tqdm==4.67.1"), bare)
    assert made is not None
    written = made.layer.path.stat().st_mtime_ns
    # no uv, no network
    monkeypatch.setattr("jupyter_hybrid.containers.uv.Uv.resolve", None)
    assert make(tmp_path, wanting("tqdm==4.67.1"), bare) == made
    assert made.layer.path.stat().st_mtime_ns == written
    # nothing missing is an answer as well
    assert make(tmp_path, wanting(), bare) is None


def test_another_question_with_the_same_answer_is_the_same_layer(
    tmp_path: Path, bare: ImageFacts
) -> None:
    one = make(tmp_path, wanting("tqdm==4.67.1"), bare)
    two = make(tmp_path, wanting("tqdm<4.67.2,>=4.67.1"), bare)
    assert one == two
    assert len([*tmp_path.glob("*.tar")]) == 1


def test_another_interpreter_makes_the_same_layer(
    tmp_path: Path, bare: ImageFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(tmp_path / "one", wanting("tqdm==4.67.1"), bare)
    # somebody else's environment: programs that are installed from there begin with its path
    venv = tmp_path / "another" / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    monkeypatch.setattr(sys, "executable", str(venv / "bin" / "python"))
    two = make(tmp_path / "two", wanting("tqdm==4.67.1"), bare)
    assert one is not None
    assert two is not None
    assert (one.lock, one.layer.digest) == (two.lock, two.layer.digest)
    with tarfile.open(one.layer.path) as tar:
        contents = {m.name: tar.extractfile(m) for m in tar if m.isfile()}
        below = one.directory.lstrip("/")
        record = contents[f"{below}/tqdm-4.67.1.dist-info/RECORD"]
        assert record is not None
        for path, digest, size in csv.reader(record.read().decode().splitlines()):
            file = contents[f"{below}/{path}"]
            assert file is not None
            content = file.read()
            hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            if not path.endswith("RECORD"):
                assert (digest, size) == (f"sha256={hashed.rstrip('=')}", str(len(content)))


def test_what_uv_is_told_elsewhere_makes_no_other_layer(
    tmp_path: Path, bare: ImageFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(tmp_path / "one", wanting("tqdm==4.67.1"), bare)
    (tmp_path / "uv").mkdir()
    settings = '[pip]\nlink-mode = "symlink"\ncompile-bytecode = true\n'
    (tmp_path / "uv" / "uv.toml").write_text(settings)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name, value in {"UV_LINK_MODE": "symlink", "UV_PREFIX": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    two = make(tmp_path / "two", wanting("tqdm==4.67.1"), bare)
    assert one is not None
    assert two is not None
    assert one.layer.digest == two.layer.digest


def test_whoever_gives_up_while_it_is_packed_leaves_it_whole(tmp_path: Path) -> None:
    store, lock = LayerStore(tmp_path), Lock("3.11", "x86_64-manylinux_2_28")
    at_work, go_on = threading.Event(), threading.Event()

    def packed(tree: Path) -> Packed:
        at_work.set()
        assert go_on.wait(20)
        return Packed("opt/x", [Entry("opt/x/a", b"1")], {"a": "1"})

    async def give_up() -> None:
        with store.work() as work:
            making = asyncio.ensure_future(store.made(Uv({}), lock, work, packed))
            assert await asyncio.to_thread(at_work.wait, 20)
            making.cancel()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
            with pytest.raises(asyncio.CancelledError):
                await making
            # nobody reads the files any more that are removed now
            assert go_on.is_set()
            assert [path.name for path in tmp_path.glob("*.tar")] == [f"{lock.digest}.tar"]

    asyncio.run(give_up())


def test_two_jobs_at_once_make_it_once(tmp_path: Path, bare: ImageFacts) -> None:
    async def both() -> list[PackageLayer | None]:
        wanted = wanting("tqdm==4.67.1")
        makers = [PackageLayers(tmp_path) for _ in range(4)]
        return await asyncio.gather(*(maker.layer(wanted, bare) for maker in makers))

    first, *others = asyncio.run(both())
    assert all(other == first for other in others)
    assert len([*tmp_path.glob("*.tar")]) == 1
    asyncio.run(until(lambda: not [*tmp_path.glob(".work-*")]))


def test_a_damaged_layer_is_made_anew(tmp_path: Path, bare: ImageFacts) -> None:
    made = make(tmp_path, wanting("tqdm==4.67.1"), bare)
    assert made is not None
    with made.layer.path.open("r+b") as file:
        file.truncate(100)
    again = make(tmp_path, wanting("tqdm==4.67.1"), bare)
    assert again == made
    assert made.layer.path.stat().st_size == made.layer.size


def test_without_a_network_what_is_cached_suffices(
    tmp_path: Path, bare: ImageFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(tmp_path / "a", wanting("tqdm==4.67.1"), bare)
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    again = make(tmp_path / "b", wanting("tqdm==4.67.1"), bare)
    assert made is not None
    assert again is not None
    assert (again.lock, again.layer.diff_id) == (made.lock, made.layer.diff_id)


def test_what_the_images_modules_would_hide_is_refused(tmp_path: Path, bare: ImageFacts) -> None:
    facts = replace(
        bare,
        packages={"vendors-tqdm": ImagePackage("9", (), ("tqdm",))},
        regular=frozenset({"tqdm"}),
    )
    with pytest.raises(ImageError, match="tqdm from vendors-tqdm 9"):
        make(tmp_path, wanting("tqdm==4.67.1"), facts)
    assert not [*tmp_path.glob("*.tar")]


def test_what_is_installed_from_elsewhere_travels_as_it_is_here(
    tmp_path: Path, bare: ImageFacts
) -> None:
    site = tmp_path / "site-packages"
    project = tmp_path / "lab"
    project.mkdir()
    (project / "labtools.py").write_text("ANSWER = 42\n")
    (project / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
        "[project]\nname = 'lab-tools'\nversion = '1.5'\n[tool.setuptools]\npy-modules = "
        "['labtools']\n"
    )
    command = [corpus.find_uv_bin(), "pip", "install", "--quiet", "--target", str(site)]
    command += ["--python", sys.executable, str(project)]
    subprocess.run(command, check=True, env=corpus.uv_environment())
    with corpus.installed_here(site):
        need = Need("lab-tools", "imported", ("labtools",), "1.5", origin=Origin("git", "x", "y"))
        wanted = diff(Environment((need,)), bare, kernel=False)
        made = make(tmp_path / "layers", wanted, bare)
    assert made is not None
    assert made.packages == {"lab-tools": "1.5"}
    assert f"{made.directory}/labtools.py".lstrip("/") in names(made)


@debian
def test_a_layer_on_a_real_root(tmp_path: Path) -> None:
    facts = probed(DEBIAN)
    made = make(tmp_path, wanting("docopt==0.6.2", "emcee==3.1.6"), facts)
    assert made is not None
    code = (
        "import docopt, emcee, sys, json, numpy; print(json.dumps([docopt.__file__, sys.path, "
        "emcee.__version__, [numpy.zeros(2).sum()]]))"
    )
    done = run_on([made.layer.path], [DEBIAN, "-c", code], tmp_path / "root")
    assert done.returncode == 0, done.stderr
    file, path, version, _ = json.loads(done.stdout.splitlines()[-1])
    assert file.startswith(made.directory)
    # behind everything that the image has
    assert path[-1] == made.directory
    assert version == "3.1.6"
    program = run_on([made.layer.path], [f"{made.directory}/bin/f2py", "-v"], tmp_path / "root")
    assert program.returncode == 0, program.stderr
