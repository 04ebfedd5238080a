import json
from pathlib import Path

import corpus
import pytest


@pytest.fixture(scope="session")
def here() -> Path:
    return corpus.here()


@pytest.mark.parametrize("name", corpus.cases())
def test_case(name: str, tmp_path: Path, here: Path) -> None:
    case = json.loads((corpus.CASES / name / "case.json").read_bytes())
    outcome = corpus.run(name, tmp_path, here)
    assert bool(outcome.refused) == ("refused" in case), outcome.refused
    refused = outcome.refused.replace(f"{corpus.CASES / name}/", "")
    assert [part for part in case.get("refused", ()) if part not in refused] == []
    assert outcome.kept() == case["keep"]
    assert outcome.missing() == case.get("missing", [])
    told = outcome.sentences.splitlines()
    assert [sentence for sentence in case.get("told", ()) if sentence not in told] == []
    if "layer" in case:
        assert outcome.layer is not None
        found = {n: v if case["layer"].get(n) != "*" else "*" for n, v in outcome.layer.items()}
        if case.get("open"):
            found = {n: v for n, v in found.items() if case["layer"].get(n, "*") != "*"}
            assert found == {n: v for n, v in case["layer"].items() if v != "*"}
        else:
            assert found == case["layer"]


def test_the_corpus_is_large() -> None:
    assert len(corpus.cases()) >= 30
