"""The project's own gates and tools notice what they are there to notice."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requirements
from gates import Gate, Outcome, run_all, summary
from harness import Bench, line
from prepare import parse_pip_config, uv_environment
from sizes import function_faults, measure

PIP_CONFIG = r"""
:env:.cert='/etc/ssl/own.crt'
:env:.default-timeout='180'
global.cert='/etc/ssl/site.crt'
global.extra-index-url='https://a.example/simple\nhttps://b.example/simple'
global.index-url='https://mirror.example/simple'
install.find-links='/opt/wheels /opt/more'
list.format='columns'
"""


def test_uv_is_told_what_pip_is_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    environment = uv_environment(parse_pip_config(PIP_CONFIG))
    assert environment is not None
    assert environment["SSL_CERT_FILE"] == "/etc/ssl/own.crt"
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["UV_INDEX"] == "https://a.example/simple https://b.example/simple"
    assert environment["UV_FIND_LINKS"] == "/opt/wheels,/opt/more"
    assert environment["UV_HTTP_TIMEOUT"] == "180"


def test_a_setting_that_uv_cannot_be_told_leaves_the_work_to_pip() -> None:
    assert uv_environment(parse_pip_config("global.only-binary=':all:'")) is None


def test_sizes_do_not_count_docstrings_and_self() -> None:
    source = 'def f(self, a, *, b):\n    """One\n\n    two."""\n    return a\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert measure(function) == (2, 2)


def test_sizes_name_what_is_too_large() -> None:
    long = "def f():\n" + "    x = 1\n" * 40
    wide = "async def g(a, b, c, d, /, e, *, f, h): ...\n"
    faults = list(function_faults(long + wide, Path("m.py")))
    assert faults == [
        "1: f has 41 lines; at most 40",
        "42: g has 7 parameters; at most 6",
    ]


def test_every_gate_runs_and_one_failure_is_enough(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = run_all(
        [
            Gate("bad", ["sh", "-c", "echo because; exit 3"]),
            Gate("good", ["sh", "-c", "echo note: mind this; echo chatter"]),
            Gate("last", ["sh", "-c", "echo seen"], live=True),
        ]
    )
    assert [o.status for o in outcomes] == [3, 0, 0]
    assert summary(outcomes, 1.0) == 1
    said = capfd.readouterr().out
    assert "because" in said
    assert "note: mind this" in said
    assert "chatter" not in said
    assert "seen" in said
    assert said.rstrip().splitlines()[-1].startswith("failed: bad")
    assert summary([Outcome("good", 0, 1.0)], 1.0) == 0


def test_what_the_tests_need_is_made_before_they_begin(tmp_path: Path) -> None:
    made = tmp_path / "made"
    outcomes = run_all(
        [
            Gate("parts", ["sh", "-c", f"seq 300000 >/dev/null; touch {made}"], before=True),
            Gate("tests", ["test", "-e", str(made)], live=True),
            Gate("report", ["rm", str(made)]),
        ]
    )
    assert [(o.name, o.status) for o in outcomes] == [("parts", 0), ("tests", 0), ("report", 0)]


def test_bench_compares_medians_side_by_side() -> None:
    order: list[str] = []

    def ours() -> float:
        order.append("ours")
        return 1.0

    def peer() -> float:
        order.append("peer")
        return 4.0

    bench = Bench("spine")
    row = bench.compare("quarter", ours=ours, peer=peer, bar=0.2)
    assert (row.ratio, row.met, row.n) == (0.25, False, 7)
    assert order == ["ours", "peer"] * 8
    assert "NO" in line(row)
    assert bench.figures("delay", [3.0, 1.0, 2.0], bar=2.0).met is True


TESTS = """
    import pytest

    @pytest.mark.needs("program:no-such-program")
    def test_needs_a_program(): raise AssertionError

    @pytest.mark.needs("program:sh")
    def test_has_it(): pass

    def test_skips_itself(): pytest.skip("no reason")
"""


@pytest.fixture
def gaps_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "build" / "gaps.json"
    monkeypatch.setattr(requirements, "GAPS", path)
    kept = dict(requirements.gaps)
    yield path
    requirements.gaps.clear()
    requirements.gaps.update(kept)


@pytest.mark.parametrize(("require", "status"), [("what-can", 0), ("all", 1)])
def test_what_cannot_run_is_listed_and_fails_where_all_is_required(
    pytester: pytest.Pytester, gaps_file: Path, require: str, status: int
) -> None:
    pytester.makeini("[pytest]\nmarkers = needs(*requirements): x")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "requirements", "--require", require
    )
    assert result.ret == status
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*could not run here*", "*needs the program no-such-program"])
    gaps = json.loads(gaps_file.read_text())
    assert sorted(gaps.values()) == ["needs the program no-such-program", "no reason"]


def test_an_unknown_need_is_a_mistake_of_the_test() -> None:
    with pytest.raises(pytest.UsageError, match="luck"):
        requirements.unmet("luck")
