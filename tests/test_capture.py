import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_hybrid import tree
from jupyter_hybrid.blobs import BlobStore
from jupyter_hybrid.bundle import Bundle, manifest
from jupyter_hybrid.capture import CaptureRequest, Plan, plan_files, store_plan
from jupyter_hybrid.errors import BundleError
from jupyter_hybrid.statcache import StatCache

Make = Callable[..., Plan]


def write(root: Path, *paths: str, size: int = 1) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x" * size)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of notebooks, in a home of its own."""
    home = tmp_path / "home"
    directory = home / "project" / "lab"
    directory.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return directory


@pytest.fixture
def plan(lab: Path) -> Make:
    def make(*code: str, files: "tuple[str, ...]" = (), **options: object) -> Plan:
        request = CaptureRequest(lab, code, files, **options)  # type: ignore[arg-type]
        return plan_files(request)

    return make


def paths(plan: Plan) -> list[str]:
    return [item.path for item in plan.items]


def refused(plan: Plan) -> dict[str, str]:
    return dict(plan.refused)


# -- names in the code --------------------------------------------------------------------------


def test_nothing_travels_without_a_name(lab: Path, plan: Make) -> None:
    write(lab, "a.csv", "data/b.csv")
    assert plan("x = 1").items == ()
    assert plan("x = 1").cwd == "."
    assert plan("x = 1").base == lab


def test_file_named_by_a_literal(lab: Path, plan: Make) -> None:
    write(lab, "a.csv", "data/b.csv", "data/c.csv", size=7)
    made = plan("import pandas as pd\npd.read_csv('data/b.csv')")
    (item,) = made.items
    assert (item.path, item.size, item.mode) == ("data/b.csv", 7, 0o644)
    assert item.source == str(lab / "data/b.csv")
    assert item.why == "'data/b.csv' in the code"
    assert made.size == 7


@pytest.mark.parametrize("text", ["data", "data/", "./data"])
def test_directory_named_by_a_literal(lab: Path, plan: Make, text: str) -> None:
    write(lab, "data/b.csv", "data/deep/.hidden", "other.csv")
    (lab / "data" / "empty").mkdir()
    made = plan(f"DATA = {text!r}")
    assert paths(made) == ["data/b.csv", "data/deep/.hidden"]
    assert made.directories == ("data/empty",)


@pytest.mark.parametrize("text", ["", ".", "./", "..", "../", "../..", "../lab", "../../project"])
def test_the_directory_itself_and_those_above_do_not_travel(
    lab: Path, plan: Make, text: str
) -> None:
    write(lab, "a.csv", "../b.csv")
    made = plan(f"x = {text!r}")
    assert made.items == ()
    assert made.base == lab


@pytest.mark.parametrize(
    "code",
    [
        "Path('data') / 'b.csv'",
        "os.path.join('data', 'b.csv')",
        "pathlib.Path('data', 'b.csv').read_text()",
        "Path('data').joinpath('b.csv')",
        "Path.cwd() / 'data' / 'b.csv'",
        "ROOT = 'data/'\nopen(ROOT + 'b.csv')",
        "ROOT = Path('.')\nopen(ROOT / 'data' / 'b.csv')",
        "!head data/b.csv",
        "%run data/b.csv --fast",
        "!tool --in=data/b.csv",
        "%%bash\ncat data/b.csv | wc",
        "%%time\nopen('data/b.csv')",
        "%time open('data/b.csv')",
        "lines = !cat data/b.csv",
        "await f('data/b.csv')",
        "f'data/{name}.csv'",
        "'data/{}.csv'.format(name)",
        "'data/%s.csv' % name",
        "Path('data') / f'{name}.csv'",
        "glob.glob('data/*.csv')",
        "Path('data').glob('*.csv')",
        "Path().rglob('b.csv')",
        "glob.glob('**/*.csv', recursive=True)",
    ],
)
def test_ways_to_name_a_file(lab: Path, plan: Make, code: str) -> None:
    write(lab, "data/b.csv", "data/c.txt", "data/.d.csv")
    assert paths(plan(code)) == ["data/b.csv"]


@pytest.mark.parametrize(
    "code",
    [
        "print('a line\\nand another')",
        "f'{x}.csv'",
        "f'out{x}'",
        "re.compile('[a-z]+')",
        "'*'",
        "'**'",
        "'\\0'",
        "'\\udc00\\ud800'",
        "'" + "x/" * 5000 + "'",
        "+".join(["'a'"] * 3000),
        "this is not ( python",
        "\0",
        "",
    ],
)
def test_text_that_names_nothing(lab: Path, plan: Make, code: str) -> None:
    write(lab, "output.csv", "a.b")
    assert plan(code).items == ()


def test_code_of_another_language(lab: Path, plan: Make) -> None:
    write(lab, "a.csv", "b.csv", "c d.csv")
    made = plan("cat a.csv\nread.csv('c d.csv')", language="R")
    assert paths(made) == ["a.csv", "c d.csv"]


def test_existing_output_is_harmless(lab: Path, plan: Make) -> None:
    write(lab, "out.csv")
    assert paths(plan("df.to_csv('out.csv'); open('new.txt', 'w')")) == ["out.csv"]


def test_name_above_raises_the_base(lab: Path, plan: Make) -> None:
    write(lab, "../shared/a.csv", "b.csv")
    made = plan("open('../shared/a.csv'); open('b.csv')")
    assert made.base == lab.parent
    assert made.cwd == "lab"
    assert paths(made) == ["lab/b.csv", "shared/a.csv"]


def test_base_is_never_above_home(lab: Path, plan: Make) -> None:
    write(lab, "../../in_home.csv", "../../../outside.csv")
    made = plan("open('../../in_home.csv')")
    assert (made.base, made.cwd) == (lab.parents[1], "project/lab")
    made = plan("open('../../../outside.csv')")
    assert made.items == ()
    assert made.base == lab
    assert f"above {lab.parents[1]}" in refused(made)["../../../outside.csv"]
    with pytest.raises(BundleError, match=r"--files \.\./\.\./\.\./outside\.csv: it is above"):
        plan(files=("../../../outside.csv",))


def test_absolute_name_gets_a_note(lab: Path, plan: Make) -> None:
    made = plan(f"open({str(lab / 'a.csv')!r}); open('/dev/null'); open('~/b.csv'); x = '/'")
    assert made.notes == ()
    write(lab, "a.csv", "../../b.csv")
    made = plan(f"open({str(lab / 'a.csv')!r}); open('~/b.csv'); open('/etc/passwd')")
    assert made.items == ()
    assert made.notes == (
        f"{lab}/a.csv is an absolute path: it does not travel and must exist at the target",
        "~/b.csv is an absolute path: it does not travel and must exist at the target",
    )


def test_the_notebook_and_what_never_travels(lab: Path, plan: Make) -> None:
    write(lab, "d/nb.ipynb", "d/.git/config", "d/__pycache__/x.pyc", "d/env/pyvenv.cfg", "d/env/x")
    write(lab, "d/node_modules/x.js", "d/.ipynb_checkpoints/x", "d/a", "d/out/x")
    made = plan("'d'", notebook=lab / "d" / "nb.ipynb", exclude=(lab / "d" / "out",))
    assert paths(made) == ["d/a"]
    assert "environment" in refused(made)["d/env"]


# -- --files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("a.csv", ["a.csv"]),
        ("./a.csv", ["a.csv"]),
        ("*.csv", ["a.csv"]),
        ("*", ["a.csv"]),
        (".*", [".env"]),
        ("data", ["data/.h", "data/1/c.csv", "data/1/d.txt", "data/b.csv"]),
        ("data/", ["data/.h", "data/1/c.csv", "data/1/d.txt", "data/b.csv"]),
        ("da*/", ["data/.h", "data/1/c.csv", "data/1/d.txt", "data/b.csv"]),
        ("data/*", ["data/b.csv"]),
        ("data/**", ["data/1/c.csv", "data/1/d.txt", "data/b.csv"]),
        ("data/**/*.csv", ["data/1/c.csv", "data/b.csv"]),
        ("**/[cd].*", ["data/1/c.csv", "data/1/d.txt"]),
        ("data/?/*.txt", ["data/1/d.txt"]),
        (".", [".env", "a.csv", "data/.h", "data/1/c.csv", "data/1/d.txt", "data/b.csv"]),
    ],
)
def test_globs(lab: Path, plan: Make, glob: str, expected: list[str]) -> None:
    write(lab, "a.csv", ".env", "data/b.csv", "data/1/c.csv", "data/1/d.txt", "data/.h")
    made = plan(files=(glob,))
    assert paths(made) == expected
    assert {item.why for item in made.items} == {f"--files {glob}"}
    assert all(item.explicit for item in made.items)
    # once more, by a glob that finds what is there already
    assert paths(plan(files=(glob, glob, "a.csv"))) == sorted({*expected, "a.csv"})


@pytest.mark.parametrize("glob", ["*.parquet", "nothing", "no/**", "data/**/x", "it's*", "a.csv/"])
def test_glob_that_matches_nothing_is_an_error(lab: Path, plan: Make, glob: str) -> None:
    write(lab, "data/a.csv")
    with pytest.raises(BundleError, match="matches nothing") as caught:
        plan(files=(glob,))
    assert glob.partition("'")[0] in str(caught.value)


@pytest.mark.parametrize("glob", ["", "/etc/passwd", "~/x", "data/*/../x", "a\0"])
def test_glob_that_cannot_be_meant(plan: Make, glob: str) -> None:
    with pytest.raises(BundleError, match="relative to the notebook's directory"):
        plan(files=(glob,))


def test_glob_from_above(lab: Path, plan: Make) -> None:
    write(lab, "../shared/a.csv", "../shared/b.csv")
    made = plan(files=("../shared/*.csv",))
    assert (made.cwd, paths(made)) == ("lab", ["shared/a.csv", "shared/b.csv"])


def test_explicitly_named_file_that_cannot_travel(lab: Path, plan: Make) -> None:
    os.mkfifo(lab / "pipe")
    with pytest.raises(BundleError, match="'pipe': is a pipe"):
        plan(files=("pipe",))


# -- .hybridignore ------------------------------------------------------------------------------


def test_ignore_files_in_any_folder(lab: Path, plan: Make) -> None:
    write(lab, "d/a.csv", "d/a.tmp", "d/e/b.tmp", "d/e/keep.tmp", "d/big/x", "d/e/local/y")
    (lab / ".hybridignore").write_text("*.tmp\n/d/big/\n# a comment\n")
    (lab / "d" / "e" / ".hybridignore").write_text("!keep.tmp\nlocal\n")
    assert paths(plan("'d'")) == ["d/a.csv", "d/e/keep.tmp"]
    assert paths(plan("'d/a.tmp'; 'd/big/x'; 'd/a.csv'")) == ["d/a.csv"]
    assert ".hybridignore" in refused(plan("'d/big/x'"))["d/big/x"]
    with pytest.raises(BundleError, match=r"matches nothing .*d/big.*\.hybridignore names it"):
        plan(files=("d/big",))


def test_ignore_file_of_a_raised_base(lab: Path, plan: Make) -> None:
    write(lab, "a.csv", "../shared/b.csv", "../shared/c.csv")
    (lab.parent / ".hybridignore").write_text("/shared/c.csv\n/lab/a.csv\n")
    assert paths(plan("'a.csv', '../shared'")) == ["shared/b.csv"]


def test_broken_ignore_file(lab: Path, plan: Make) -> None:
    write(lab, "a.csv")
    (lab / ".hybridignore").mkdir()
    assert paths(plan("'a.csv'")) == ["a.csv"]


# -- the limit ----------------------------------------------------------------------------------


def test_more_than_the_limit_must_be_named(lab: Path, plan: Make) -> None:
    write(lab, "big file.bin", size=2000)
    write(lab, *(f"data/{n}.bin" for n in range(9)), size=300)
    write(lab, "small.csv", size=10)
    code = "open('big file.bin'); 'data'; 'small.csv'"
    with pytest.raises(BundleError) as caught:
        plan(code, limit=1000)
    message = str(caught.value)
    assert "4.6 kB in 11 files" in message
    assert "'big file.bin' (2.0 kB" in message
    assert "--files data --files 'big file.bin'; if not" in message
    assert len(paths(plan(code, limit=1000, files=("data", "big file.bin")))) == 11


def test_a_home_directory_is_not_walked_to_its_end(
    lab: Path, plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_FILES", 5)
    write(lab, *(f"data/{n}" for n in range(6)))
    with pytest.raises(BundleError, match=r"more than 5 files would travel \('data' in the code"):
        plan("'data'")
    assert len(plan("'data'", files=("data",)).items) == 6


# -- modules ------------------------------------------------------------------------------------


def test_local_modules_travel_with_what_they_import(lab: Path, plan: Make) -> None:
    write(lab, "data.csv", "pkg/table.json", "unrelated.py", "pkg/sub/__init__.py")
    (lab / "helper.py").write_text("import os, numpy\nfrom pkg.sub import thing\n")
    (lab / "pkg" / "__init__.py").write_text("from . import deep\nimport last\n")
    (lab / "pkg" / "deep.py").write_text("open('data.csv')\n")
    (lab / "last.py").write_text("import helper\n")
    made = plan("import helper")
    assert paths(made) == [
        "data.csv",
        "helper.py",
        "last.py",
        "pkg/__init__.py",
        "pkg/deep.py",
        "pkg/sub/__init__.py",
        "pkg/table.json",
    ]
    assert {i.path: i.why for i in made.items}["data.csv"] == "'data.csv' in deep.py"
    assert made.import_paths == ()


def test_package_without_init_brings_its_modules_only(lab: Path, plan: Make) -> None:
    write(lab, "src/model.py", "src/deep/x.py", "src/weights.bin", "src/.git/y.py")
    assert paths(plan("from src.model import Net")) == ["src/deep/x.py", "src/model.py"]
    write(lab, "tables/a.csv")
    assert plan("import tables").items == ()


def test_modules_from_a_directory_that_the_code_adds(lab: Path, plan: Make) -> None:
    write(lab, "../src/model.py", "../src/other.py", "near/tool.py")
    made = plan("import sys; sys.path.append('../src')\nimport model")
    assert (made.cwd, paths(made), made.import_paths) == ("lab", ["src/model.py"], ())
    made = plan("sys.path.insert(0, 'near')\nimport tool")
    assert (made.cwd, paths(made), made.import_paths) == (".", ["near/tool.py"], ())
    # no module comes from it: nothing is added
    assert plan("sys.path.append('..')\nimport os").base == lab


def test_modules_from_elsewhere_get_a_place_of_their_own(
    lab: Path, plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "lib", "far/__init__.py", "far/x.txt", "far/__pycache__/y", "single_far.py")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    made = plan("import far, single_far")
    assert paths(made) == [
        ".hybrid/modules/far/__init__.py",
        ".hybrid/modules/far/x.txt",
        ".hybrid/modules/single_far.py",
    ]
    assert made.import_paths == (".hybrid/modules",)
    assert made.base == lab


def test_modules_on_the_path_below_the_base_stay_in_place(
    lab: Path, plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lab, "lib/nearby/__init__.py")
    monkeypatch.syspath_prepend(lab / "lib")
    made = plan("import nearby")
    assert (paths(made), made.import_paths) == (["lib/nearby/__init__.py"], ("lib",))


def test_jupyter_hybrid_itself_never_travels(plan: Make) -> None:
    assert plan("import jupyter_hybrid").items == ()
    assert plan("%load_ext jupyter_hybrid").items == ()


# -- links and odd things -----------------------------------------------------------------------


def test_links_inside_stay_links_and_their_targets_travel(lab: Path, plan: Make) -> None:
    write(lab, "archive/v1/a.csv", "archive/v2/b.csv", "data/c.csv")
    (lab / "data" / "latest").symlink_to("../archive/v1")
    (lab / "data" / "absolute").symlink_to(lab / "archive" / "v2" / "b.csv")
    (lab / "data" / "self").symlink_to(".")
    (lab / "data" / "up").symlink_to("..")
    made = plan("'data'")
    assert paths(made) == ["archive/v1/a.csv", "archive/v2/b.csv", "data/c.csv"]
    assert dict(made.links) == {
        "data/absolute": "../archive/v2/b.csv",
        "data/latest": "../archive/v1",
        "data/self": ".",
        "data/up": "..",
    }


def test_file_behind_a_link_brings_the_link_and_nothing_else(lab: Path, plan: Make) -> None:
    write(lab, "archive/a.csv", "archive/b.csv")
    (lab / "data").symlink_to("archive")
    for made in (plan("'data/a.csv'"), plan(files=("data/a*",)), plan("f'data/a{x}.csv'")):
        assert (paths(made), dict(made.links)) == (["archive/a.csv"], {"data": "archive"})


def test_links_out_are_followed(lab: Path, plan: Make, tmp_path: Path) -> None:
    write(tmp_path, "pool/set/a.csv", "pool/one.csv")
    (tmp_path / "pool" / "set" / "again").symlink_to("a.csv")
    (lab / "data").mkdir()
    (lab / "data" / "set").symlink_to(tmp_path / "pool" / "set")
    (lab / "data" / "one.csv").symlink_to(tmp_path / "pool" / "one.csv")
    made = plan("'data'")
    assert paths(made) == ["data/one.csv", "data/set/a.csv", "data/set/again"]
    assert made.links == ()
    assert any("data/set is a link out of" in note for note in made.notes)
    assert paths(plan("'data/set/a.csv'")) == ["data/set/a.csv"]


def test_what_cannot_travel_is_refused_by_name(lab: Path, plan: Make, tmp_path: Path) -> None:
    data = lab / "data"
    write(lab, "data/a.csv")
    (data / "dangling").symlink_to("nowhere")
    (data / "loop1").symlink_to("loop2")
    (data / "loop2").symlink_to("loop1")
    (data / "root").symlink_to("/")
    (data / "null").symlink_to("/dev/null")
    os.mkfifo(data / "pipe")
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(data)  # the whole path may be too long for a socket
    server.bind("socket")
    os.chdir(here)
    server.close()
    made = plan("'data'")
    assert paths(made) == ["data/a.csv"]
    assert made.links == ()
    assert refused(made) == {
        "data/dangling": "is a link that leads nowhere (to nowhere)",
        "data/loop1": "is a loop of links",
        "data/loop2": "is a loop of links",
        "data/null": "is a device",
        "data/pipe": "is a pipe",
        "data/root": "is a link to a directory that it is in (/)",
        "data/socket": "is a socket",
    }


def test_links_that_lead_to_each_other_outside(lab: Path, plan: Make, tmp_path: Path) -> None:
    write(tmp_path, "pool/a/x", "pool/b/y")
    (tmp_path / "pool" / "a" / "to_b").symlink_to(tmp_path / "pool" / "b")
    (tmp_path / "pool" / "b" / "to_a").symlink_to(tmp_path / "pool" / "a")
    (lab / "data").symlink_to(tmp_path / "pool" / "a")
    made = plan("'data'")
    assert paths(made) == ["data/to_b/y", "data/x"]
    assert "that it is in" in refused(made)["data/to_b/to_a"]


ODD = [
    "sp ace.csv",
    "new\nline.csv",
    'it\'s "quoted".csv',
    "ünï.csv",  # composed
    "u\u0308ni\u0308.csv",  # decomposed, another file
    "back\\slash.csv",
    "bytes\udcff.csv",
    "-dash.csv",
    "$(touch x);.csv",
    "*.csv",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_travel_as_they_are(lab: Path, plan: Make, name: str, tmp_path: Path) -> None:
    write(lab, f"data/{name}")
    made = plan(f"open({'data/' + name!r})")
    assert paths(made) == [f"data/{name}"]
    blobs = BlobStore(tmp_path / "blobs")
    (entry,) = store_plan(made, blobs, StatCache(blobs.directory))
    assert entry.path == f"data/{name}"
    assert blobs.path(entry.digest).read_bytes() == b"x"
    assert manifest(Bundle(b"", (entry,)))


def test_all_odd_names_together(lab: Path, plan: Make) -> None:
    write(lab, *(f"data/{name}" for name in ODD))
    assert sorted(paths(plan("'data'"))) == sorted(f"data/{name}" for name in ODD)


def test_modes_do_not_depend_on_the_umask(lab: Path, plan: Make) -> None:
    write(lab, "d/a", "d/b", "d/c")
    (lab / "d" / "a").chmod(0o664)
    (lab / "d" / "b").chmod(0o4775)
    (lab / "d" / "c").chmod(0o400)
    assert [item.mode for item in plan("'d'").items] == [0o644, 0o755, 0o400]


def test_a_directory_that_cannot_be_listed(lab: Path, plan: Make, tmp_path: Path) -> None:
    write(lab, "data/a", "data/closed/b")
    (lab / "data" / "closed").chmod(0)
    user = os.geteuid()
    # root may list every directory; who is not root must get here
    above = [f for f in lab.parents if f.is_relative_to(tmp_path.parent.parent)]
    modes = [folder.stat().st_mode for folder in above]
    if user == 0:
        for folder in above:
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        made = plan("'data'")
    finally:
        os.seteuid(user)
        (lab / "data" / "closed").chmod(0o755)
        for folder, mode in zip(above, modes, strict=True):
            folder.chmod(mode)
    assert paths(made) == ["data/a"]
    assert refused(made) == {"data/closed": "cannot be listed: Permission denied"}


def test_directory_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a directory"):
        plan_files(CaptureRequest(tmp_path / "gone"))


# -- preview ------------------------------------------------------------------------------------


def test_preview_tells_what_is_new(lab: Path, plan: Make, tmp_path: Path) -> None:
    write(lab, "a.csv", size=5)
    os.utime(lab / "a.csv", (1, 1))
    write(lab, "b.csv", size=7)
    blobs = BlobStore(tmp_path / "blobs")
    cache = StatCache(blobs.directory)
    made = plan("'a.csv'; 'b.csv'")
    assert (made.preview().total, made.preview(blobs, cache).new) == (12, 12)
    assert not blobs.directory.exists()
    store_plan(plan("'a.csv'"), blobs, cache)
    shown = made.preview(blobs, cache)
    assert [(row.path, row.size, row.new) for row in shown.rows] == [
        ("a.csv", 5, 0),
        ("b.csv", 7, 7),
    ]
    assert (shown.total, shown.new) == (12, 7)
