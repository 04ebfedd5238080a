"""A real server answers in the language that is asked for, and says which one that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_server.auth import Authorizer
from traitlets.config import Config

from jupyter_hybrid.server.contract import document
from jupyter_hybrid.server.wording import LANGUAGES, sentences_of

if TYPE_CHECKING:
    from .conftest import Api

JAPANESE = {"Accept-Language": "ja-JP"}


async def said(api: Api, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """The answer to who reads Japanese."""
    response = await api.ask(method, path, body, headers={**JAPANESE}, **options)
    assert response.headers["Content-Language"] == "ja-JP"
    assert "Accept-Language" in response.headers["Vary"]
    return json.loads(response.body)


async def test_a_job_that_is_not_there(api: Api) -> None:
    found = await said(api, "GET", "/jobs/01jx", status=404)
    assert found == {
        "message": "ジョブ '01jx' はありません。削除された可能性があります",
        "reason": "UnknownJob",
    }
    response = await api.ask("GET", "/jobs/01jx", status=404)
    assert (
        json.loads(response.body)["message"] == "there is no job '01jx'; it may have been deleted"
    )
    assert response.headers["Content-Language"] == "en"


async def test_a_submit_that_is_refused_and_its_preview(api: Api) -> None:
    api.write("work.ipynb", "print(n)", parameters="n = 3")
    body = {"path": "work.ipynb", "parameters": {"m": 1}}
    sentence = (
        "ノートブックにパラメーター 'm' はありません。あるもの: n "
        "(「確認せずに送信する」を選ぶと、そのまま設定します)"
    )
    refused = await said(api, "POST", "/jobs", body, status=400)
    assert (refused["message"], refused["reason"]) == (sentence, "ParameterError")
    preview = await said(api, "POST", "/preview", body, status=200)
    assert preview["problems"] == [{"field": "parameters", "message": sentence}]
    body = {"path": "work.ipynb", "resources": {"cpus": 10**6}}
    (problem,) = (await said(api, "POST", "/preview", body, status=200))["problems"]
    assert problem["message"].startswith("実行先 'local' (このマシン) のコアは ")
    assert problem["message"].endswith(" 個です (要求は 1000000)。要求を減らしてください")
    english = await api.post("/preview", body)
    assert english["problems"][0]["message"].startswith("the target 'local' (this machine) has")


async def test_offers_and_what_the_notebook_says(api: Api) -> None:
    api.write("work.ipynb", "print(1)")
    found = await said(api, "POST", "/inspect", {"path": "work.ipynb"}, status=200)
    assert found["note"] == "'parameters' タグの付いたセルがありません。"
    (offer,) = (await said(api, "GET", "/offers", params={"target": "local"}, status=200))["offers"]
    assert " コア" in offer["hardware"]
    asked = {"target": "local", "gpus": "1", "gpu_type": "H9"}
    found = await said(api, "GET", "/offers", params=asked, status=200)
    assert "GPU が見えません" in found["problems"][0]["message"]


async def test_why_a_job_failed_and_never_what_it_said_itself(api: Api) -> None:
    job = await api.submit("print('the disk is full')\nraise OSError('the disk is full')")
    await api.ended(job["id"])
    one = await said(api, "GET", f"/jobs/{job['id']}", status=200)
    (row,) = (await said(api, "GET", "/jobs", status=200))["jobs"]
    for shown in (one, row):
        assert shown["reason"] == (
            "セルが OSError: the disk is full で失敗しました。以降のセルは実行されていません。"
        )
        assert shown["exit"]["message"] == shown["reason"]
        assert (shown["exit"]["ename"], shown["exit"]["evalue"]) == ("OSError", "the disk is full")
        assert "the disk is full" in "".join(shown["exit"]["traceback"])
    # what it printed is its own, and so is what lies in the store
    log = await api.ask("GET", f"/jobs/{job['id']}/log", headers={**JAPANESE})
    assert json.loads(log.body)["text"].startswith("the disk is full\n")
    assert "Content-Language" not in log.headers
    english = await api.get(f"/jobs/{job['id']}")
    assert english["reason"].startswith("A cell failed with OSError: the disk is full.")


class Nobody(Authorizer):
    """Lets nobody do anything."""

    def is_authorized(self, *args: Any) -> bool:
        return False


class TestRefusals:
    """What Jupyter Server itself refuses."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> Config:
        config = Config(jp_server_config)
        config.ServerApp.authorizer_class = Nobody
        return config

    async def test_who_may_not_is_told_so(self, api: Api) -> None:
        found = await said(api, "GET", "/jobs", status=403)
        assert found["message"] == "jupyter-hybrid に対する read は許可されていません。"


def test_the_document_says_which_answers_have_sentences_and_in_what_languages() -> None:
    found = document()
    header = found["components"]["headers"]["language"]
    assert header["schema"]["enum"] == list(LANGUAGES)
    reference = {"$ref": "#/components/headers/language"}
    assert found["components"]["responses"]["Problem"]["headers"]["Content-Language"] == reference
    for path, item in found["paths"].items():
        for method in item.keys() & {"get", "post", "put", "delete"}:
            for status, response in item[method]["responses"].items():
                if status != "default" and "content" in response:
                    told = sentences_of(path, method, int(status)) is not None
                    assert ("Content-Language" in response.get("headers", {})) == told, path


def test_each_sentence_of_the_schemas_is_one() -> None:
    """Names of properties that hold words of ours in one place do so in all."""
    names = {"message", "note", "notes", "reason", "sentence", "trouble", "why", "left"}
    for name, schema in found_properties(document()["components"]["schemas"]):
        text = schema.get("items", schema)
        if name in names and text.get("type") in ("string", ["string", "null"]):
            # the class of a problem is `reason`, too
            problem = "class" in schema.get("description", "")
            assert text.get("x-sentence", False) != problem, name


def found_properties(node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, list):
        return [pair for item in node for pair in found_properties(item)]
    if not isinstance(node, dict):
        return []
    own = list(node["properties"].items()) if isinstance(node.get("properties"), dict) else []
    return own + [pair for value in node.values() for pair in found_properties(value)]
