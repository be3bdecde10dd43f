"""decontaminate: what shares 13 words in a row with an evaluation set goes; what only resembles it stays."""

import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.decontaminate import decontaminate, read_evaluation_text
from corpus.stage import StageWriter, read_rows, rejects_path
from schemas.errors import InputError, SettingsError
from schemas.settings import DecontaminateSettings
from schemas.tables import DISTINCT, SCREENED

QUESTION = "A farmer has seventeen sheep and all but nine of them run away through the open gate. How many are left?"


def write(path: Path, texts: list[str], schema=DISTINCT) -> Path:
    with StageWriter(path, schema) as writer:
        for number, text in enumerate(texts):
            messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Well."}]
            row = dict.fromkeys(schema.names, "x") | {"conversation_id": str(number), "messages": messages}
            row |= {"created_at": None, "n_messages": 2, "n_branches": 1, "n_words": 3, "n_duplicates": 0}
            writer.write(row)
    return path


def run(root: Path, texts: list[str], *paths: str):
    """(report, kept conversation ids, evidence by dropped id)."""
    source, output = write(root / "in.parquet", texts), root / "out.parquet"
    report = decontaminate(source, output, DecontaminateSettings(paths=paths), root=root)
    kept = [row["conversation_id"] for row in read_rows(output)]
    dropped = {row["conversation_id"]: (row["reason"], row["evidence"]) for row in read_rows(rejects_path(output))}
    return report, kept, {name: evidence for name, (_, evidence) in dropped.items()}


def lines(*values: object) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def test_without_evaluation_files_everything_passes(tmp_path):
    """And the report says that nothing was looked for."""
    report, kept, _ = run(tmp_path, [QUESTION, "Hello"])
    assert kept == ["0", "1"]
    assert report.facts["evaluation_sets"] == 0


def test_a_quoted_question_is_found_whatever_its_case_and_punctuation(tmp_path):
    """People paste benchmark questions into chats; file and line say which."""
    (tmp_path / "gsm.jsonl").write_bytes(lines({"id": 1, "q": "short"}, {"data": [{"question": QUESTION}]}))
    pasted = "please solve: " + QUESTION.upper().replace(".", " -") + " thanks"
    report, kept, dropped = run(tmp_path, ["Where is the cat?", pasted], "gsm.jsonl")
    assert kept == ["0"]
    assert dropped == {"1": "gsm.jsonl line 2"}
    assert report.dropped == {"evaluation_text": 1}
    assert report.facts == {"evaluation_sets": 1, "evaluation_items": 1}


def test_twelve_words_of_a_long_item_are_no_match(tmp_path):
    """Thirteen is the rule; ordinary talk shares shorter runs."""
    (tmp_path / "set.txt").write_text(QUESTION)
    words = QUESTION.split()
    _, kept, dropped = run(tmp_path, [" ".join(words[:12]), " ".join(words[:13])], "set.txt")
    assert kept == ["0"]
    assert dropped == {"1": "set.txt line 1"}


def test_a_short_item_is_matched_as_a_whole(tmp_path):
    """Eight to twelve words are matched whole; seven would match ordinary talk."""
    eight, seven = "who painted the ceiling of the old chapel", "what is the capital of that country"
    (tmp_path / "set.jsonl").write_bytes(lines(eight, seven))
    _, kept, dropped = run(tmp_path, [f"So {eight}, then?", f"So {seven}?", eight[:-7]], "set.jsonl")
    assert kept == ["1", "2"]
    assert dropped == {"0": "set.jsonl line 1"}


def test_runs_of_prose_go_on_over_line_ends(tmp_path):
    """Text files are wrapped; the evidence names the line in which the run begins."""
    (tmp_path / "set.txt").write_text("Title\n\n" + QUESTION.replace(" of ", "\nof ").replace(" gate", "\ngate"))
    assert run(tmp_path, [QUESTION], "set.txt")[2] == {"0": "set.txt line 3"}


def test_items_of_one_jsonl_file_do_not_run_into_each_other(tmp_path):
    """Two answers beside each other are no text that anybody wrote."""
    (tmp_path / "set.jsonl").write_bytes(lines({"a": "one two three four five six seven", "b": "eight nine ten"}))
    text = "one two three four five six seven eight nine ten"
    assert run(tmp_path, [text], "set.jsonl")[1] == ["0"]


def test_globs_name_many_files_once(tmp_path):
    """A folder of evaluation sets is the usual case."""
    (tmp_path / "sets" / "deep").mkdir(parents=True)
    (tmp_path / "sets" / "a.txt").write_text("nothing here")
    (tmp_path / "sets" / "deep" / "b.txt").write_text(QUESTION)
    report, _, dropped = run(tmp_path, [QUESTION], "sets/**/*.txt", "sets/a.txt", str(tmp_path / "sets" / "d*" / "*"))
    assert report.facts["evaluation_sets"] == 2
    assert dropped == {"0": "sets/deep/b.txt line 1"}


@pytest.mark.parametrize("path", ["missing.txt", "none/*.jsonl", "."])
def test_a_path_without_a_file_is_an_error_of_the_settings(tmp_path, path):
    """Silence would let a mistyped name pass everything."""
    with pytest.raises(SettingsError, match="there is no such file"):
        run(tmp_path, [], path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("a.jsonl", b'{"a": 1}\n{"a": \n', r"a\.jsonl line 2 is not JSON"), ("a.txt", b"\xff\xfe\x00", "UTF-8")],
)
def test_a_damaged_evaluation_file_is_named(tmp_path, name, content, message):
    """Half an evaluation set looked up is worse than an error."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run(tmp_path, [], name)


def test_equal_hashes_alone_are_no_match(tmp_path):
    """A hash may collide, above all in a conversation built to do so: the words decide."""
    (tmp_path / "set.txt").write_text(QUESTION)
    text = read_evaluation_text(["set.txt"], tmp_path)
    forged = [replace(one, text=QUESTION.replace("farmer", "banker")) for one in text.texts]
    asked = " ".join(QUESTION.split()[:13])
    assert text.find(asked) == "set.txt line 1"
    assert replace(text, texts=tuple(forged)).find(asked) is None


def test_a_screened_table_is_refused(tmp_path):
    """Duplicates go first, so that evaluation text is not looked for twice."""
    source = write(tmp_path / "in.parquet", [], SCREENED)
    with pytest.raises(InputError, match="n_duplicates"):
        decontaminate(source, tmp_path / "out.parquet", DecontaminateSettings(), root=tmp_path)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 20))
def test_planted_runs_are_found_and_nothing_else(seed, n_words):
    """The definition, checked on strings: a run of 13 words in common, or a whole item of 8 to 12."""
    rng = random.Random(seed)
    items = [[f"w{rng.randrange(40)}" for _ in range(rng.randrange(4, 30))] for _ in range(5)]
    planted = items[0][:n_words]
    said = [f"w{rng.randrange(40)}" for _ in range(10)] + planted + ["end"]
    expected = any(
        said[i : i + n] == item[j : j + n]
        for item in items
        for n in ({13} | ({len(item)} if 8 <= len(item) <= 12 else set()))
        for j in range(len(item) - n + 1)
        for i in range(len(said) - n + 1)
    )
    with TemporaryDirectory() as folder:
        (Path(folder) / "set.jsonl").write_bytes(lines(*(" ".join(item) for item in items)))
        _, kept, dropped = run(Path(folder), [" ".join(said)], "set.jsonl")
    assert len(kept) + len(dropped) == 1
    assert bool(dropped) == expected
