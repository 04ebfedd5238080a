import os
from pathlib import Path

import pytest
from captures import Make, paths, refused, write

from jupyter_hybrid.capture import tree
from jupyter_hybrid.errors import BundleError

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
