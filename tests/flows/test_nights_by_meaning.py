"""Two nights that say the same in other words: the later one drops it; what is withdrawn leaves no embedding."""

import json

import pytest

from corpus.picks import embeddings_in
from corpus.stage import read_report
from corpus.stages import stage_file
from flows.cli import run_command
from judges.verdicts import VerdictStore
from schemas.embedding import numbers_of
from schemas.verdict import JudgeIdentity
from tests.flows.test_night import git, gristmill, steps_of

pytestmark = [pytest.mark.slow, pytest.mark.model]

SETTINGS = """
[[sources]]
name = "bot"
path = "logs/*.jsonl"
consent = "agreed in the chat window"
licence = "CC0-1.0"

[dedupe]
cosine_min = 0.9

[judge]
threshold = 1.0
min_intact = 0.0
"""
QUESTION = "Why does bread dough need to rest before it is shaped, and what happens when I skip the rest?"
ANSWER = (
    "Resting lets the gluten relax. Kneading tightens the strands, so dough that is shaped straight away springs back "
    "and tears. During the rest the flour also takes up the remaining water, and enzymes begin to soften it. If you "
    "skip the rest, the dough resists shaping, the surface rips, and the bread bakes into a tighter crumb."
)
AGAIN = (
    "Why must bread dough rest before it is shaped, and what happens if I leave the rest out?",
    "A rest lets the gluten relax. Kneading tightens its strands, so a dough shaped at once springs back and tears. "
    "While it rests, flour takes up the remaining water and enzymes begin to soften it. Without the rest a dough "
    "resists the shaping, its surface rips, and bread bakes into a tighter crumb.",
)
OTHER = (
    "How do I find out which process listens on port 8080 of my machine?",
    "On Linux `ss -ltnp 'sport = :8080'` names the process and its number; with `lsof -i :8080` it works on macOS. "
    "You need to be root to see the processes of other people.",
)


def log(folder, day, *talks):
    lines = [
        json.dumps(
            {"id": f"{day} {n}", "messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
        )
        for n, (a, b) in enumerate(talks)
    ]
    (folder / "logs" / f"{day}.jsonl").write_text("\n".join(lines) + "\n")


def test_a_later_night_drops_what_was_said_and_nothing_of_it_stays_after_a_retraction(tmp_path, monkeypatch):
    """Whether the first night was merged meanwhile or not; and running the first again changes nothing."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "gristmill.toml").write_text(SETTINGS)
    log(tmp_path, "2026-11-04", (QUESTION, ANSWER))
    _, first = gristmill(tmp_path, "run", "--night", "2026-11-05")
    assert first["proposal"]["n_samples"] == 1
    (sample,) = git(tmp_path, "show", "night/2026-11-05:data/general/2026-11/2026-11-05.jsonl").splitlines()
    log(tmp_path, "2026-11-05", AGAIN, OTHER)
    _, second = gristmill(tmp_path, "run", "--night", "2026-11-06")
    assert steps_of(second)["select"]["dropped"] == {"semantic_duplicate": 1}
    _, again = gristmill(tmp_path, "run", "--night", "2026-11-05")
    assert again["proposal"]["commit"] == first["proposal"]["commit"]
    (text,) = embeddings_in(stage_file(tmp_path / "var" / "nights" / "2026-11-05", "select")).values()
    marks = (numbers_of(text)[:200], text.partition(":")[2][:200].encode())
    assert marks[0] in (tmp_path / "var" / "picks.sqlite").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run_command(["retract", json.loads(sample)["id"], "--reason", "asked", "--purge", "--yes"]) in (0, 3)
    files = [file for file in (tmp_path / "var").rglob("*") if file.is_file()]
    assert [file.name for file in files if any(mark in file.read_bytes() for mark in marks)] == []
    report = read_report(stage_file(tmp_path / "var" / "nights" / "2026-11-05", "judge"))
    judge = JudgeIdentity.from_json(report.facts["judge"]).digest()
    store = VerdictStore(tmp_path / "var" / "verdicts.duckdb")
    assert store.find(judge, [json.loads(sample)["id"]]) == {}
