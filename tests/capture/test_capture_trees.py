import os
import socket
import tempfile
from pathlib import Path

import pytest
from captures import Make, paths, refused, write

from jupyter_hybrid.bundle import Bundle, manifest
from jupyter_hybrid.bundle.blobs import BlobStore
from jupyter_hybrid.bundle.statcache import StatCache
from jupyter_hybrid.capture import CaptureRequest, plan_files, store_plan
from jupyter_hybrid.capture.tree import Tree
from jupyter_hybrid.errors import BundleError

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


def test_patterns_that_match_links_which_cannot_be_followed(lab: Path, plan: Make) -> None:
    write(lab, "data/a.csv")
    (lab / "data/loop1").symlink_to("loop2")
    (lab / "data/loop2").symlink_to("loop1")
    made = plan(files=("data/*",))
    assert paths(made) == ["data/a.csv"]
    assert refused(made) == dict.fromkeys(("data/loop1", "data/loop2"), "is a loop of links")


def test_a_file_that_vanishes_while_its_folder_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "data/part.tmp", "data/whole.csv")
    tree = Tree(str(tmp_path))
    entries = tree.entries("data")
    (tmp_path / "data/part.tmp").unlink()
    for entry in entries:
        tree.take_entry(f"data/{entry.name}", entry, "data", explicit=False)
    assert list(tree.files) == ["data/whole.csv"]
    assert "No such file" in tree.refused["data/part.tmp"].reason


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
    temporary = Path(tempfile.gettempdir())
    above = [f for f in lab.parents if temporary in f.parents]
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
