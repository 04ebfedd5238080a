import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.checks import Finding, Subject, advisories, check, parse_rules, refuse
from jupyter_hybrid.checks.packages import is_affected
from jupyter_hybrid.checks.secrets import kinds_in
from jupyter_hybrid.errors import BundleError, ConfigError

# put together here, so that nobody's scanner takes this file for a leak
AWS = "AKIA" + "QYLPMN5HFIQR7XYA"
NGC = "nvapi-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
GITHUB = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"


def notebook(*cells: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "cells": [
            {"cell_type": "code", "source": source, "outputs": outputs} for source, outputs in cells
        ]
    }


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"key = '{AWS}'", "AWS Access Key"),
        (f"!docker login -u '$oauthtoken' -p {NGC} nvcr.io", "NGC API Key"),
        (f"token = '{GITHUB}'", "GitHub Token"),
        ("db_password = 'correct-horse-7'", "Secret Keyword"),
        ("url = 'https://ada:correct-horse@host.example/'", "Basic Auth Credentials"),
        ("-----BEGIN RSA PRIVATE KEY-----", "Private Key"),
    ],
)
def test_secrets_are_seen(line: str, kind: str) -> None:
    assert kind in kinds_in(line)


@pytest.mark.parametrize(
    "line",
    [
        "password = getpass()",
        "token = os.environ['TOKEN']",
        "df['password'] = 1",
        "commit = '5f2b3c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b'",
        "image = 'nvcr.io/nvidia/pytorch@sha256:" + "ab" * 32 + "'",
        "password = 'xxxxxxxx'",
        "api_key = '<your key>'",
        "tokens = tokenizer('some text')",
    ],
)
def test_what_is_no_secret(line: str) -> None:
    assert kinds_in(line) == set()


def test_where_a_secret_stands_and_never_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text(f"A=1\nAWS={AWS}\n")
    (tmp_path / "data.bin").write_bytes(b"\0" + AWS.encode())
    stream = {"output_type": "stream", "text": ["fine\n", f"using {NGC}\n"]}
    picture = {"output_type": "display_data", "data": {"image/png": AWS}}
    subject = Subject(
        notebook=notebook(("x = 1", [picture]), (f"# fine\nkey = '{AWS}'", [stream])),
        files=[(p.name, p) for p in sorted(tmp_path.iterdir())] + [("gone", tmp_path / "gone")],
    )
    found = check(subject, {"secrets": "refuse"})
    assert [finding.text.partition(", seems")[0] for finding in found] == [
        "cell 2, line 2",
        "the output of cell 2, line 2",
        "settings.env, line 2",
    ]
    said = json.dumps([finding.to_json() for finding in found])
    assert not [secret for secret in (AWS, NGC) if secret in said]
    with pytest.raises(BundleError, match="cell 2, line 2"):
        refuse(found)


def test_warnings_let_things_go() -> None:
    refuse([Finding("secrets", "warn", "something")])


def test_images_outside_the_list() -> None:
    rules = {"images": {"do": "refuse", "allow": ["nvcr.io/nvidia/*", "registry.lab/*"]}}
    assert check(Subject(image="nvcr.io/nvidia/pytorch:24.01-py3"), rules) == []
    assert check(Subject(), rules) == []
    (finding,) = check(Subject(image="docker.io/somebody/miner:latest"), rules)
    assert finding.do == "refuse"
    assert "docker.io/somebody/miner:latest is not allowed here" in finding.text


def test_forbidden_packages_and_licences() -> None:
    subject = Subject(
        packages={"numpy": "1.21.0", "pandas": "2.0.0"},
        licences={"numpy": "BSD License", "thing": "GNU Affero General Public License v3"},
    )
    rules = {
        "packages": {"forbid": ["NumPy<1.22", "pandas>3"]},
        "licences": {"do": "refuse", "forbid": ["*affero*"]},
    }
    assert [(f.rule, f.do) for f in check(subject, rules)] == [
        ("packages", "warn"),
        ("licences", "refuse"),
    ]
    with pytest.raises(ConfigError, match="not a requirement!"):
        check(subject, {"packages": {"forbid": ["not a requirement!"]}})


#: In the form of OSV's export, of a real vulnerability.
PYYAML = {
    "id": "PYSEC-2021-142",
    "summary": "Arbitrary code execution by full_load",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "PyYAML"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.4"}]}],
            "versions": ["5.3.1"],
        }
    ],
}


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_known_vulnerabilities_from_a_database_on_the_disk(kind: str, tmp_path: Path) -> None:
    database = tmp_path / "osv"
    withdrawn = {**PYYAML, "id": "W-1", "withdrawn": "2022-01-01T00:00:00Z"}
    entries = {"a.json": json.dumps(PYYAML), "b.json": json.dumps(withdrawn)}
    if kind == "zip":
        with zipfile.ZipFile(database, "w") as archive:
            for name, text in entries.items():
                archive.writestr(name, text)
    else:
        database.mkdir()
        for name, text in entries.items():
            (database / name).write_text(text)
    rules = {"vulnerabilities": {"do": "refuse", "database": str(database)}}
    (finding,) = check(Subject(packages={"pyyaml": "5.3"}), rules)
    assert finding.text == (
        "pyyaml 5.3 has a known vulnerability (PYSEC-2021-142: Arbitrary code execution by "
        "full_load): take 5.4 or newer"
    )
    assert check(Subject(packages={"pyyaml": "5.4", "yaml": "5.3"}), rules) == []


def test_a_vulnerability_of_two_lists_is_told_once(tmp_path: Path) -> None:
    (span,) = PYYAML["affected"]
    git = {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "a001f2782501ad2d24986959"}]}
    backport = [{"introduced": "5.4"}, {"fixed": "10.1"}, {"introduced": "11"}, {"fixed": "11.2"}]
    mended = {**span, "ranges": [git, {"type": "ECOSYSTEM", "events": backport}], "versions": []}
    aliases = ["CVE-2020-14343", "PYSEC-2021-142"]
    entries = [
        {**PYYAML, "summary": "", "aliases": ["CVE-2020-14343", "GHSA-8q59-q68h-6hv4"]},
        {**PYYAML, "id": "GHSA-8q59-q68h-6hv4", "aliases": aliases},
        {**PYYAML, "id": "PYSEC-1", "affected": [mended], "aliases": []},
        {"id": "OTHER", "affected": [{"package": {"ecosystem": "npm", "name": "pyyaml"}}]},
    ]
    for entry in entries:
        (tmp_path / f"{entry['id']}.json").write_text(json.dumps(entry, indent=1))
    rules = {"vulnerabilities": {"database": str(tmp_path)}}
    (finding,) = check(Subject(packages={"pyyaml": "5.3.1"}), rules)
    assert "(GHSA-8q59-q68h-6hv4, CVE-2020-14343: Arbitrary" in finding.text
    (finding,) = check(Subject(packages={"pyyaml": "9.0"}), rules)
    assert finding.text.endswith(": take 10.1 or newer")
    (tmp_path / "broken.json").write_text('{"name": "pyyaml"')
    with pytest.raises(ConfigError, match="holds what is no entry of OSV's"):
        check(Subject(packages={"pyyaml": "5.4", "x": "1"}), rules)


def write_database(database: Path, kind: str, fixed: str) -> None:
    """An OSV database in which PyYAML was mended in this version."""
    entry = json.loads(json.dumps(PYYAML))
    entry["affected"][0]["ranges"][0]["events"][1]["fixed"] = fixed
    other = {"id": "X-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "other"}}]}
    documents = {"a.json": json.dumps(entry), "b.json": json.dumps(other)}
    if kind == "zip":
        new = database.with_name("new")
        with zipfile.ZipFile(new, "w") as archive:
            for name, text in documents.items():
                archive.writestr(name, text)
        new.replace(database)
        return
    database.mkdir(exist_ok=True)
    for name, text in documents.items():
        (database / name).write_text(text)


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_an_index_answers_until_the_database_changes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, kept = tmp_path / "osv", tmp_path / "kept"
    rules = {"vulnerabilities": {"database": str(database)}}

    def found(version: str) -> int:
        advisories._about.cache_clear()  # as in another process
        return len(check(Subject(packages={"pyyaml": version}), rules, kept))

    write_database(database, kind, "5.4")
    assert (found("5.3"), found("5.9")) == (1, 0)
    (index,) = kept.glob("*.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(advisories, "_documents", None)
        assert (found("5.3"), found("5.9")) == (1, 0)
    # a database that was fetched again
    write_database(database, kind, "5.10")
    assert (found("5.9"), found("5.10")) == (1, 0)
    assert not index.exists()
    # a damaged index is no silence, and the next look makes another one
    (index,) = kept.glob("*.sqlite")
    index.write_bytes(b"x" * 5000)
    assert found("5.9") == 1 and not index.exists()
    assert found("5.9") == 1 and index.exists()
    # nor is a place where none can be kept
    assert len(check(Subject(packages={"pyyaml": "5"}), rules, database / "a.json" / "x")) == 1
    assert [path.name for path in kept.iterdir()] == [index.name]


@pytest.mark.parametrize(
    ("events", "affected"),
    [
        ([{"introduced": "0"}, {"last_affected": "2.0"}], ["1.0", "1.9", "2.0"]),
        ([{"introduced": "1.5"}, {"fixed": "2.0"}, {"introduced": "2.1"}], ["1.9", "2.1", "3.0"]),
        ([{"fixed": "1.0.1"}, {"introduced": "0"}], ["1.0"]),
        ([], []),
    ],
)
def test_ranges_are_evaluated_as_osv_does(
    events: list[dict[str, str]], affected: list[str]
) -> None:
    entry = {
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "x"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ]
    }
    versions = ["1.0", "1.9", "2.0", "2.1", "3.0"]
    assert [v for v in versions if is_affected(entry, "x", v)] == affected


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        ({"secret": "warn"}, "no check named 'secret'"),
        ({"secrets": "maybe"}, "'maybe'"),
        ({"images": {"alow": []}}, "'alow'"),
    ],
)
def test_rules_that_are_wrong(rules: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        parse_rules(rules)


@pytest.mark.parametrize("rule", [{}, {"database": "/no/such/place"}])
def test_no_database_is_no_silence(rule: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="database"):
        check(Subject(), {"vulnerabilities": rule})
