"""Sentences in another language: how they are recognised, and what is left as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jupyter_hybrid.server.wording import Catalogue, catalogue, chosen_language, worded
from jupyter_hybrid.server.wording.catalogue import LONGEST, read_catalogue
from jupyter_hybrid.server.wording.templates import Template

SMALL = Catalogue(
    {
        "there is no job {}; {}": "ジョブ {0} はありません。{1}",
        "there is no job {}": "ジョブ {0} はありません",
        "the newest are {}": "最近のものは {0} です",
        "A cell failed with {}. Nothing after it was executed.": "セルが {0!s} で失敗しました。",
        "the disk is full": "ディスクがいっぱいです",
        "{} sends {} to {}": "{2} に {0} が {1} を送ります",
        "there is no file {}{}": "ファイル {0} はありません{1}",
        "; did you mean {}?": "。{0} ではありませんか?",
        "none of these: ": "次のどれでもありません: ",
        "{} of {}": "{1} の {0}",
    }
)
JAPANESE, ENGLISH = catalogue("ja-JP"), catalogue("en")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("the disk is full", "ディスクがいっぱいです"),
        ("the disk is fuller", "the disk is fuller"),
        ("a sends b to c", "c に a が b を送ります"),
        # of two that fit, the one of which more is fixed; what stands in it is said as well
        (
            "there is no job 'x'; the newest are a, b",
            "ジョブ 'x' はありません。最近のものは a, b です",
        ),
        ("there is no job 'x'; ask Jo", "ジョブ 'x' はありません。ask Jo"),
        # values that touch: the second begins as it always does
        (
            "there is no file 'a'; did you mean 'b'?",
            "ファイル 'a' はありません。'b' ではありませんか?",
        ),
        ("there is no file 'a'", "ファイル 'a' はありません"),
        # behind a name, in a row, one behind another, and before something else
        ("dgx: the disk is full", "dgx: ディスクがいっぱいです"),
        ("the disk is full; it is, truly", "ディスクがいっぱいです; it is, truly"),
        ("The end. the disk is full.", "The end. ディスクがいっぱいです。"),
        ("none of these: the disk is full", "次のどれでもありません: ディスクがいっぱいです"),
        # an error of the user's own, be it in our words
        (
            "A cell failed with OSError: the disk is full. Nothing after it was executed.",
            "セルが OSError: the disk is full で失敗しました。",
        ),
        # what is hardly fixed is no template
        ("1 of 2", "1 of 2"),
        ("", ""),
    ],
)
def test_a_sentence_is_said_with_its_values(sentence: str, said: str) -> None:
    assert SMALL.word(sentence) == said


@pytest.mark.parametrize(
    "name", ["\u202eab", "a\nb", "{0}", "{}", "\\1", "%s", "ending", "ジョブ", "😀" * 50]
)
def test_values_are_what_they_are(name: str) -> None:
    assert JAPANESE.word("ending") != "ending"
    assert SMALL.word(f"there is no job {name!r}") == f"ジョブ {name!r} はありません"
    assert SMALL.word(f"there is no job {name}") == f"ジョブ {name} はありません"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    ["; ", "it was cancelled: ", "there is no job ", "a", "(", ", --files ", ". The end", "{}"],
)
def test_no_text_takes_for_ever(piece: str) -> None:
    """Each is new to it: all ways to read a text are as many as nobody waits for."""
    for number in range(50):
        text = f"{number} " + piece * (LONGEST // len(piece) - 3)
        assert len(text) <= LONGEST and JAPANESE.word(text).startswith(f"{number} ")
    assert JAPANESE.word(piece * 100_000) == piece * 100_000


def test_a_long_text_full_of_marks_is_looked_at_a_few_times() -> None:
    class Counted(Catalogue):
        looked = 0

        def candidates(self, text: str) -> Sequence[Template]:
            self.looked += len(text)
            return super().candidates(text)

    counted = Counted(read_catalogue("ja-JP"))
    for mark in ("; ", ": ", ", ", " (", ") ", ". ", "\n"):
        counted.looked, part = 0, f"the disk is full{mark}"
        said = counted.word((part * LONGEST)[:LONGEST])
        assert len(said) > 0 and counted.looked < 10 * LONGEST, mark


def test_what_was_said_once_is_remembered() -> None:
    text = "job 01jx was ended meanwhile: its node n1 failed; submit it again"
    assert "故障しました" in JAPANESE.word(text)
    hits = JAPANESE.word.cache_info().hits
    assert JAPANESE.word(text) and JAPANESE.word.cache_info().hits == hits + 1


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ja", "ja-JP"),
        ("ja-JP", "ja-JP"),
        ("JA_jp", "ja-JP"),
        ("de, en;q=0.5, ja;q=0.7", "ja-JP"),
        ("de-DE,de;q=0.9", "en"),
        ("en-GB,ja;q=0.9", "en"),
        ("ja;q=0", "en"),
        ("ja;q=x", "en"),
        ("*", "en"),
        ("javanese", "en"),
        (",;=,ja", "ja-JP"),
        ("x," * 100_000 + "ja", "en"),
    ],
)
def test_the_language_is_the_first_that_is_there(header: str, language: str) -> None:
    assert chosen_language(header) == language


def test_only_sentences_are_worded_and_the_record_stays() -> None:
    fields = {"reason": True, "notes": {"[]": True}, "exit": {"message": True}}
    record = {
        "name": "the disk is full",
        "reason": "the disk is full",
        "notes": ["the disk is full", 1],
        "exit": {"message": "the disk is full", "evalue": "the disk is full"},
    }
    said = worded(record, fields, SMALL.word)
    full = "ディスクがいっぱいです"
    assert said["name"] == said["exit"]["evalue"] == "the disk is full"
    assert (said["reason"], said["notes"]) == (full, [full, 1])
    assert said["exit"]["message"] == full and record["reason"] == "the disk is full"
    assert worded({"exit": None, "reason": None}, fields, SMALL.word) == {
        "exit": None,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("sentence", "japanese"),
    [
        (
            "the parameter 'n' is an int (default 3), but 5 is a str; for text write -r n 5 "
            "(--unchecked takes it all the same)",
            "パラメーター 'n' は int (既定値 3) ですが、5 は str です。n をテキストにするには"
            '引用符を付けて "5" と書いてください '
            "(「確認せずに送信する」を選ぶと、そのまま受け付けます)",
        ),
        (
            "3 of 4 nodes free, 3 of 4 v100 free, up to 2 h 00 min, 5 jobs waiting; "
            "5 jobs at once, 2 running",
            "4 ノード中 3 ノードが空き, v100: 4 中 3 が空き、最長 2 h 00 min、待機中のジョブ 5 件; "
            "同時に 5 ジョブまで (実行中 2)",
        ),
        (
            "waits for a node (of 3): 1 has not enough free cpu; 2 are kept for others",
            "ノードを待っています (3 台): 1 台は cpu の空きが足りません; 2 台は others 専用です",
        ),
        (
            "The kernel died while the notebook was executed: segmentation fault (SIGSEGV). "
            "A compiled library crashed; what had been printed before is in the outputs.",
            "ノートブックの実行中にカーネルが停止しました: セグメンテーション違反 (SIGSEGV)。"
            "コンパイル済みライブラリーがクラッシュしました。それまでの出力は残っています。",
        ),
        (
            "the host key of dgx is not known yet, and only a person can say that it is right "
            "(ssh: No ED25519 host key is known); run 'ssh dgx' in a terminal once, compare the "
            "key and accept it",
            "dgx のホスト鍵はまだ知られておらず、正しいかどうかは人が確認する必要があります "
            "(ssh: No ED25519 host key is known); ターミナルで一度 'ssh dgx' を実行し、鍵を確認して"
            "受け入れてください",
        ),
        (
            "Rank 3 on node7 failed, and the others were ended: A cell failed with KeyError: 'a'. "
            "Nothing after it was executed.",
            "node7 のランク 3 が失敗し、ほかも終了しました: セルが KeyError: 'a' で失敗しました。"
            "以降のセルは実行されていません。",
        ),
    ],
)
def test_sentences_of_several_rooms_are_put_together(sentence: str, japanese: str) -> None:
    assert JAPANESE.word(sentence) == japanese


def test_words_of_somebody_else_are_left_alone() -> None:
    text = "e.yml is not YAML: while parsing a flow node expected the node content"
    said = "e.yml は YAML ではありません: while parsing a flow node expected the node content"
    assert JAPANESE.word(text) == said
    assert JAPANESE.word("module 'x' has no attribute 'E'") == "module 'x' has no attribute 'E'"
    # a name keeps its blanks, a word of ours needs none beside its like
    assert JAPANESE.word("the kernel 'データ' (R)") == "カーネル 'データ' (R)"
    where = "the QOS 'q' allows you 6 cores at once, not 8 cores"
    said = JAPANESE.word(
        f"the target 'x' cannot run this: {where}; ask for less, or ask the administrators for more"
    )
    assert "同時に 6 コアまでです (要求は 8 コア)" in said


def test_english_speaks_of_the_dialog_and_not_of_the_command_line() -> None:
    said = ENGLISH.word("it used more memory than it was given; ask for more with --mem")
    assert said == "it used more memory than it was given; ask for more memory"
    # where only the terminal helps, it stays
    advice = "run 'ssh dgx' in a terminal once, compare the key and accept it"
    assert ENGLISH.word(advice) == advice
