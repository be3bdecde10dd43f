"""A person is planted in a corpus and withdrawn: gone from every file that people read, and never back."""

import shutil
import subprocess

import orjson
import pytest

from corpus import retract as module
from corpus.bulk import BulkObjects
from corpus.decisions import read_decided
from corpus.local_traces import LocalConversation
from corpus.retract import Withdrawal, retract
from corpus.tombstones import mark_of, read_tombstones, read_withdrawn
from schemas.decision import Decision, decision_lines
from schemas.errors import InputError
from tests.corpus.judged_rows import conversation
from tests.corpus.retract_project import (
    ANSWER,
    ASKED,
    AT,
    LATER,
    NAME,
    NIGHT,
    Project,
    digest,
    git,
    other,
    person_talk,
    planted,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    return root, planted(root)[1]


@pytest.fixture
def person(made, tmp_path) -> tuple[Project, str]:
    """A corpus of one's own with a merged night and an open one, and the person's id."""
    shutil.copytree(made[0], tmp_path / "project", symlinks=True)
    shutil.rmtree(tmp_path / "project" / "person")
    return Project(tmp_path / "project"), made[1]


def grep(project: Project, word: str, commit: str) -> list[str]:
    done = subprocess.run(["git", "grep", "-il", word, commit], cwd=project.remote, capture_output=True, text=True)
    return done.stdout.split()


def test_a_person_leaves_shards_pages_and_open_nights(person):
    """Without a word left in any file of any branch; what others said stays, in its place."""
    project, person_id = person
    done = project.retract(person_id[:8])
    assert done.state == "withdrawn" and person_id in done.ids and len(done.ids) == 2
    assert [(one.branch, one.n_lines) for one in done.nights] == [(f"night/{LATER}", 1)]
    for word in ("quillfeather", "thistledown", "biscuit", "onions"):
        assert grep(project, word, "main") == []
        assert [hit for hit in grep(project, word, f"night/{LATER}") if LATER in hit.split(":")[1]] == []
    assert len(grep(project, "chapel", "main")) == 2, "the shard and the page of those who stay"
    assert project.show(f"data/general/2026-11/{NIGHT}.jsonl").count("\n") == 3
    assert "## Sample 1\n\nWithdrawn." in project.show(f"review/{NIGHT}/01.md")


def test_the_commit_and_the_tombstones_tell_nothing_of_the_person(person):
    """Commit messages, names of files and tombstones stay when everything else goes."""
    project, person_id = person
    project.retract(person_id)
    message = git(project.remote, "log", "-1", "--format=%an%n%B", "main")
    assert message.startswith("Gristmill\nretract: 2 tombstones, 1 samples leave")
    stones = project.show("tombstones.jsonl")
    for word in ("zora", "quill", "thistle", "biscuit"):
        assert word not in (message + stones).lower()
    assert {orjson.loads(line)["reason"] for line in stones.splitlines()} == {"its contributor asked"}


def test_the_records_have_the_digests_of_what_is_there_now(person):
    """A reader can still tell whether a file is the one that the record speaks of."""
    project, person_id = person
    project.retract(person_id)
    record = orjson.loads(project.show(f"nights/{NIGHT}.json"))
    assert record["withdrawn"] == 1
    tree = project.tree()
    for path, facts in record["files"].items():
        assert digest((tree / path).read_bytes()) == facts["sha256"]
    assert record["files"][f"data/general/2026-11/{NIGHT}.jsonl"]["samples"] == 4


def test_a_second_retraction_changes_nothing(person):
    """Typed again, by a part of the id, by a relative's id, by the conversation's."""
    project, person_id = person
    first = project.retract(person_id)
    heads = project.heads()
    for identifier in (person_id[:9], *first.ids, *first.conversation_ids):
        again = project.retract(identifier, at="2027-01-01T00:00:00Z", reason="another one")
        assert again.state == "unchanged"
        assert set(again.ids) == set(first.ids)
    assert project.heads() == heads


def test_a_retraction_that_was_killed_between_its_pushes_is_completed(person):
    """The base branch has its commit and the open night has none: the same call goes on there."""
    project, person_id = person
    night = git(project.remote, "rev-parse", f"night/{LATER}")
    whole = project.retract(person_id)
    done = git(project.remote, "rev-parse", f"night/{LATER}")
    git(project.remote, "update-ref", f"refs/heads/night/{LATER}", night)
    again = project.retract(person_id, at="2026-11-07T00:00:00Z")
    assert (again.n_lines, len(again.nights)) == (0, 1) and again.ids == whole.ids
    kept = [git(project.remote, "rev-parse", f"{commit}^{{tree}}") for commit in (done, f"night/{LATER}")]
    assert kept[0] == kept[1]


def test_what_was_made_of_it_goes_with_it(person):
    """Edits by reviewers, whatever they are called, and the original of an edit; a reason that quotes is emptied."""
    project, person_id = person
    tree = project.tree()
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    lines = [orjson.loads(line) for line in shard.read_bytes().splitlines()]
    (own,) = [line for line in lines if line["id"] == person_id]
    edited = {**own, "id": "e" * 32, "provenance": {**own["provenance"], "conversation_id": "9" * 32}}
    kept = [line for line in lines if line["id"] != person_id]
    shard.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n" for line in [*kept, edited]))
    decision = {
        "sample_id": person_id,
        "verdict": "edit",
        "reviewer": "r-1",
        "decided_at": AT,
        "proposal": "#1",
        "reason": f"{NAME} lives there",
        "edited_id": "e" * 32,
    }
    (tree / "decisions").mkdir()
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(orjson.dumps(decision, option=orjson.OPT_SORT_KEYS) + b"\n")
    project.push("edit it")
    for identifier in ("e" * 32, person_id):
        done = project.retract(identifier)
        assert {"e" * 32, person_id} <= set(done.ids)
    assert grep(project, "quillfeather", "main") == []
    assert orjson.loads(project.show(f"decisions/{NIGHT}.jsonl")) == {**decision, "reason": ""}
    stones = read_tombstones(BulkObjects(project.remote), "main")
    assert all(stone.bands for stone in stones if stone.sample_id in (person_id, "e" * 32))


def test_a_copy_of_the_answer_slipped_into_an_open_night_goes(person):
    """Samples made to test reviewers carry another sample's answer under an id of their own."""
    project, person_id = person
    tree = project.tree(f"night/{LATER}")
    shard = tree / f"data/general/2026-11/{LATER}.jsonl"
    line = next(
        one for one in map(orjson.loads, shard.read_bytes().splitlines()) if "town" in one["messages"][0]["content"]
    )
    line = {**line, "id": "f" * 32, "messages": [line["messages"][0], {"role": "assistant", "content": ANSWER}]}
    shard.write_bytes(shard.read_bytes() + orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n")
    project.push("slip it in", f"night/{LATER}")
    done = project.retract(person_id)
    assert done.nights[0].n_lines == 2 and "f" * 32 not in done.ids


def test_a_contributor_leaves_by_pseudonym_and_stays_out(tmp_path):
    """All that bears the pseudonym, what only this machine knows to be theirs, and what they say tomorrow."""
    project = Project(tmp_path)
    pseudonym = "5" * 32
    talks = [person_talk(), conversation(*other(1), native_id="1"), conversation(*other(2), native_id="2")]
    proposed = list(project.propose(talks, subjects=[pseudonym, None, None]).values())
    project.merge()
    mine = next(one for one in proposed if one["messages"][0]["content"] == other(2)[0])
    local = LocalConversation(mine["id"], mine["provenance"]["conversation_id"], tuple(mine["messages"]))
    done = project.retract(None, subjects=(pseudonym,), local=(local,))
    assert len(done.ids) == 2 and done.n_lines == 2
    withdrawn = read_withdrawn(BulkObjects(project.remote), "main")
    assert withdrawn.named("0" * 32, "0" * 32, pseudonym)
    assert project.retract(None, subjects=(pseudonym,)).state == "unchanged"
    rest = orjson.loads(project.show(f"data/general/2026-11/{NIGHT}.jsonl"))
    assert rest["messages"][0]["content"] == other(1)[0]


def test_a_contributor_of_whom_nothing_was_published_stays_out_all_the_same(person):
    """They withdrew before anything of theirs was proposed."""
    project, _ = person
    assert project.retract(None, subjects=("6" * 32,)).state == "withdrawn"
    assert read_withdrawn(BulkObjects(project.remote), "main").subjects == {"6" * 32}


def test_an_ambiguous_or_unknown_id_is_refused_with_what_there_is(tmp_path):
    """Withdrawing the wrong one is not undone by a second command."""
    project = Project(tmp_path)
    project.propose([conversation(*other(n), native_id=str(n)) for n in range(2)])
    project.merge()
    tree = project.tree()
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    lines = [orjson.loads(line) for line in shard.read_bytes().splitlines()]
    for number, line in enumerate(lines):
        line["id"] = f"abcdef012345{number}" + "0" * 19
    shard.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n" for line in lines))
    project.push("two of a kind")
    heads = project.heads()
    with pytest.raises(InputError, match="means 2 things: abcdef0123450.*abcdef0123451"):
        project.retract("abcdef01")
    with pytest.raises(InputError, match="no sample or conversation '01234567'"):
        project.retract("01234567")
    for wrong in ("abc", "Zora Quillfeather", "../../x"):
        with pytest.raises(InputError, match="no id"):
            project.retract(wrong)
    assert project.heads() == heads


@pytest.mark.parametrize(
    "reason", [" ", "two\nlines", "x" * 400, f"it says: {ASKED}"[:300], ANSWER[:40]], ids=lambda one: one[:8]
)
def test_a_reason_that_tells_the_conversation_is_refused(person, reason):
    """The reason is published, and stays when everything else goes."""
    project, person_id = person
    if reason.startswith("it says"):
        reason = ASKED.split("\n")[0]
    with pytest.raises(InputError):
        project.retract(person_id, reason=reason)


def test_releases_that_had_it_are_named(person):
    """Who took a release must hear of it; a release made after is clean."""
    project, person_id = person
    project.tag("v1")
    assert project.retract(person_id).releases == ("v1",)
    project.tag("v2")
    assert project.retract(person_id).releases == ("v1",)


def test_people_who_push_meanwhile_lose_nothing(person, monkeypatch):
    """A commit that arrives between reading and pushing: the retraction is decided anew on top of it."""
    project, person_id = person
    tree = project.tree()
    asked = Withdrawal("asked", AT, person_id)
    without = module.without

    def push_first(*arguments, **named):
        (tree / "NOTES.md").write_text("meanwhile")
        project.push("meanwhile")
        monkeypatch.undo()
        return without(*arguments, **named)

    monkeypatch.setattr(module, "without", push_first)
    done = retract(asked, corpus=project.corpus, **project.place)
    assert done.n_lines == 1
    assert project.show("NOTES.md") == "meanwhile"
    assert grep(project, "quillfeather", "main") == []


def test_marks_come_from_history_when_the_line_is_gone(person):
    """A reviewer had deleted its line: the person may still ask, and the text must not return."""
    project, person_id = person
    tree = project.tree()
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(line for line in lines if person_id.encode() not in line))
    (tree / "decisions").mkdir()
    decision = {"sample_id": person_id, "verdict": "reject", "reviewer": "r-1", "decided_at": AT, "proposal": "#1"}
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(orjson.dumps(decision) + b"\n")
    project.push("reject it")
    done = project.retract(person_id)
    assert done.state == "withdrawn"
    withdrawn = read_withdrawn(BulkObjects(project.remote), "main")
    texts = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWER + " Indeed."}]
    assert withdrawn.resembled(mark_of(texts))


def test_nothing_is_learned_from_what_was_withdrawn(person):
    """Its text may still stand in the history or in stage files; the judge must not be taught by it."""
    project, person_id = person
    tree = project.tree()
    (tree / "decisions").mkdir()
    shard = (tree / f"data/general/2026-11/{NIGHT}.jsonl").read_bytes()
    decisions = [
        Decision(orjson.loads(line)["id"], "keep", "r-1", AT, "#1", f"good, {number}")
        for number, line in enumerate(shard.splitlines())
    ]
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(decision_lines(decisions))
    project.push("decide")
    place = {"corpus": project.corpus, "nights": project.var / "nights", **project.place}
    assert person_id in {one.sample_id for one in read_decided(**place).samples}
    project.retract(person_id)
    decided = read_decided(**place)
    assert person_id not in {one.sample_id for one in decided.samples} and len(decided.samples) == 4
    assert decided.missing == ()
