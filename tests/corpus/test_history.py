"""A sample's life and the corpus's standing, from a bare repository alone."""

import orjson
import pytest

from corpus.history import sample_life, standing
from tests.corpus.retract_project import AT, LATER, NIGHT, Project, planted


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> tuple[Project, str, str]:
    """A person's sample: proposed, kept by one and rejected by another, merged, released, withdrawn; and another's."""
    root = tmp_path_factory.mktemp("lived")
    project, person_id = planted(root)
    tree = project.tree()
    (tree / "decisions").mkdir()
    decisions = [
        {"sample_id": person_id, "verdict": verdict, "reviewer": name, "decided_at": f"2026-11-04T1{n}:00:00Z",
         "proposal": "#1", "reason": "clear"}
        for n, (name, verdict) in enumerate([("r-1", "keep"), ("r-2", "reject")])
    ]  # fmt: skip
    content = b"".join(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) + b"\n" for one in decisions)
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(content)
    project.push("decide")
    project.tag("v1")
    other = next(one for one in map(orjson.loads, project.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines())
                 if one["id"] != person_id)["id"]  # fmt: skip
    project.retract(person_id)
    return project, person_id, other


def life(project: Project, identifier: str, **more):
    return sample_life(identifier, corpus=project.corpus, **project.place, **more)


def test_a_withdrawn_sample_tells_its_whole_life(lived):
    """Also when no line of it is left: decisions, tags and tombstones remember."""
    project, person_id, _ = lived
    events = life(project, person_id[:8])
    assert [one.what for one in events] == ["proposed", "decided", "decided", "withdrawn", "merged", "released"]
    decided = [one.facts for one in events if one.what == "decided"]
    assert [(one["reviewer"], one["verdict"]) for one in decided] == [("r-1", "keep"), ("r-2", "reject")]
    assert next(one for one in events if one.what == "released").facts["tag"] == "v1"
    assert next(one for one in events if one.what == "withdrawn").facts == {"reason": "its contributor asked"}
    assert not any("Zora" in str(one.to_json()) for one in events)


def test_a_sample_that_stays_tells_where_it_is(lived):
    """Proposed, merged, released, with commit and shard."""
    project, _, other = lived
    proposed, merged, released = life(project, other)
    assert (proposed.what, merged.what, released.what) == ("proposed", "merged", "released")
    assert proposed.at == NIGHT and proposed.facts["shard"] == f"data/general/2026-11/{NIGHT}.jsonl"
    assert proposed.facts["rating"] > 0


def test_what_the_corpus_does_not_know_has_no_events(lived):
    """Local state may know it: this is not an error here."""
    assert life(lived[0], "01234567") == [] and life(lived[0], "a native id") == []


def test_what_this_machine_knows_of_an_id_is_followed(lived):
    """The chat system's own id leads to a conversation, and that to its sample."""
    project, _, other = lived
    line = next(one for one in map(orjson.loads, project.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines())
                if one["id"] == other)  # fmt: skip
    known = {(other, line["provenance"]["conversation_id"])}
    assert life(project, "chat-17", known=known) == life(project, other)


def test_the_standing_counts_what_is_there(lived):
    """Merged and open nights, the last release, what was withdrawn."""
    project, _, _ = lived
    found = standing(corpus=project.corpus, **project.place)
    assert (found.n_nights, found.n_samples, found.n_tombstones) == (1, 4, 2)
    assert dict(found.nights) == {NIGHT: "merged"}
    assert found.release is not None and found.release["tag"] == "v1"
    (night,) = found.open_nights
    assert (night.night, night.n_samples, night.n_undecided, night.n_held) == (LATER, 3, 3, 0)
    assert found.last_retraction == AT


def test_an_edit_and_its_original_tell_who_replaced_whom(tmp_path):
    """Two samples of one conversation: the one was proposed and replaced, the other was made by a reviewer."""
    project, person_id = planted(tmp_path)
    tree = project.tree()
    edited_id = "e" * 32
    (tree / "decisions").mkdir()
    edit = {"sample_id": person_id, "verdict": "edit", "edited_id": edited_id, "reviewer": "r-1",
            "decided_at": "2026-11-04T10:00:00Z", "proposal": "#1", "reason": ""}  # fmt: skip
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(orjson.dumps(edit) + b"\n")
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    shard.write_bytes(shard.read_bytes().replace(person_id.encode(), edited_id.encode()))
    record = tree / f"nights/{NIGHT}.json"
    record.write_bytes(orjson.dumps({**orjson.loads(record.read_bytes()), "settled": {"held": 2, "files": {}}}))
    project.push("settled")
    made, was_there = life(project, edited_id), life(project, person_id)
    assert made[0].what == "made by an edit" and "proposed" not in [one.what for one in made]
    assert [one.what for one in was_there][:2] == ["proposed", "decided"]
    assert standing(corpus=project.corpus, **project.place).held == {NIGHT: 2}
