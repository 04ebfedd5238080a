"""Needs that the corpus does not reach: loaded modules, projects in place, requirements files."""

import json
from pathlib import Path

import corpus
import pytest

from jupyter_hybrid.capture.packages import job_environment
from jupyter_hybrid.environment.conda import conda_specifier, parse_conda
from jupyter_hybrid.environment.declared import declared_beside, read_declared
from jupyter_hybrid.environment.implicit import uses_of
from jupyter_hybrid.environment.installed import installation
from jupyter_hybrid.errors import ConfigError


def distribution(site: Path, name: str, version: str, *lines: str, url: object = None) -> None:
    """A distribution with one module, as an installer leaves it."""
    module = name.replace("-", "_")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text("")
    (info / "METADATA").write_text("\n".join((f"Name: {name}", f"Version: {version}", *lines, "")))
    (info / "RECORD").write_text(f"{module}.py,,\n")
    if url is not None:
        (info / "direct_url.json").write_text(json.dumps(url))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site-packages"


def test_what_a_session_has_loaded_for_its_own_sake_is_no_need(site: Path, tmp_path: Path) -> None:
    distribution(site, "ipykernel", "6.0", "Requires-Dist: tornado")
    distribution(site, "tornado", "6.4")
    distribution(site, "plots", "1.0", "Requires-Dist: colours")
    distribution(site, "colours", "2.0")
    loaded = ["sys", "ipykernel.kernelapp", "tornado.web", "plots.axes", "colours", "__main__"]
    with corpus.installed_here(site):
        code = ["import importlib", "for name in sys.argv:\n    importlib.import_module(name)"]
        found = job_environment(code, tmp_path, loaded=loaded)
        plain = job_environment(["importlib.import_module('json')"], tmp_path, loaded=loaded)
    # what plots needs comes along with it, and in the version that is here
    assert [(need.name, need.why) for need in found.needs] == [("plots", "loaded in the kernel")]
    assert found.preferences == {"plots": "1.0", "colours": "2.0"}
    # where the code says what it imports, that is all
    assert plain.needs == ()


def test_a_project_in_place_travels_as_files_and_its_requirements_are_needs(
    site: Path, tmp_path: Path
) -> None:
    project = tmp_path / "lab"
    project.mkdir()
    (project / "labtools.py").write_text("import tqdm\n")
    url = {"url": project.as_uri(), "dir_info": {"editable": True}}
    requires = ["Requires-Dist: attrs>=23", "Requires-Dist: pytest; extra == 'test'"]
    distribution(site, "lab-tools", "1.5", *requires, url=url)
    (site / "lab_tools.py").unlink()
    distribution(site, "attrs", "22.0")
    distribution(site, "tqdm", "4.0")
    with corpus.installed_here(site, project):
        found = job_environment(["import labtools"], tmp_path)
    needs = {need.name: (need.specifier, need.why) for need in found.needs}
    assert needs == {"attrs": (">=23", "needed by lab-tools"), "tqdm": ("", "imported")}


def test_where_a_distribution_came_from(site: Path) -> None:
    git = {"url": "https://me:secret@git.example/x.git", "vcs_info": {"commit_id": "0123abc"}}
    distribution(site, "one", "1", url=git)
    distribution(site, "two", "1", url={"url": "file:///x.whl", "archive_info": {}})
    distribution(site, "three", "1", url={"broken": 1})
    found = installation([str(site)])
    one, two, three = (found.get(name) for name in ("one", "two", "three"))
    assert one is not None
    assert two is not None
    assert three is not None
    assert (one.origin.kind, one.origin.commit) == ("git", "0123abc")  # type: ignore[union-attr]
    assert "secret" not in str(one.origin)
    assert two.origin.kind == "archive"  # type: ignore[union-attr]
    assert three.origin is None


def test_what_is_installed_later_is_seen(site: Path) -> None:
    distribution(site, "one", "1")
    assert installation([str(site)]).get("two") is None
    distribution(site, "two", "1")
    assert installation([str(site)]).get("Two") is not None


def test_half_removed_distributions_are_not_there(site: Path) -> None:
    distribution(site, "one", "1")
    (site / "one-1.dist-info" / "METADATA").unlink()
    (site / "~two-1.dist-info").mkdir()
    assert [*installation([str(site)])] == []


@pytest.mark.parametrize(
    ("text", "specifier"),
    [
        ("", ""),
        ("*", ""),
        ("=1.26", "==1.26.*"),
        ("1.26", "==1.26.*"),
        ("=1.26.*", "==1.26.*"),
        ("==1.26.4", "==1.26.4"),
        ("=1.26.4=py311h_0", "==1.26.4"),
        (">=1.20, <2", ">=1.20,<2"),
    ],
)
def test_condas_specifiers(text: str, specifier: str) -> None:
    assert conda_specifier(text) == specifier


def test_condas_names() -> None:
    found = parse_conda("e.yml", "dependencies: [pytorch-gpu, conda-forge::opencv >=4, nccl, pip]")
    assert found is not None
    assert found.lines == ("torch", "opencv-python>=4")
    assert [note for note in found.notes if "nccl" in note] == [*found.notes]
    assert parse_conda("e.yml", "name: nothing") is None
    for text in ("a: [", "dependencies: ['!']"):
        with pytest.raises(ConfigError, match=r"e\.yml"):
            parse_conda("e.yml", text)


def test_requirements_say_where_packages_come_from(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "--index-url https://one.example/simple\n--extra-index-url=https://two.example/simple\n"
        "-f ./wheels\n-e .\n--pre\nnumpy==1.26.4 --hash=sha256:abc\n\ufeff".removesuffix("\ufeff")
    )
    found = declared_beside(tmp_path)
    assert found is not None
    assert found.sources == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple",
        "UV_FIND_LINKS": str(tmp_path / "wheels"),
    }
    assert [(r.name, r.specifier) for r in found.requirements] == [("numpy", "==1.26.4")]
    assert len(found.notes) == 2


def test_requirements_that_include_themselves_end(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r requirements.txt\nnumpy\n")
    found = declared_beside(tmp_path)
    assert found is not None
    assert len(found.requirements) == 1


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("requirements.txt", "numpy\ngit+https://x.example/y.git\n", "line 2"),
        ("requirements.txt", "-r missing.txt\n", "missing.txt"),
        ("pyproject.toml", "[project", "not TOML"),
        ("pyproject.toml", "[project]\ndependencies = ['a b']\n", "item 1"),
    ],
)
def test_files_that_are_wrong_are_named(tmp_path: Path, name: str, text: str, word: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=word) as caught:
        read_declared(tmp_path / name)
    assert name in str(caught.value)


def test_packages_that_code_works_by() -> None:
    assert uses_of("pd.read_parquet(x).plot()") == ["plot", "read_parquet"]
    assert uses_of("read_parquet(x)") == []
