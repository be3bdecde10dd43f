"""The review desk: what it shows, in which order, and to whom."""

import json

import orjson
import pytest

from corpus import desk_view as view
from corpus.desk import Desk
from corpus.desk_place import Place, Reviewer, open_nights, reviewer_of
from corpus.reading_copy import ballots
from corpus.settle import settle
from schemas.errors import CorpusError, InputError
from schemas.settings import CorpusSettings
from tests.corpus.desk_project import ANN, BOB, NIGHT, DeskProject, edited, git, ids_of
from tests.corpus.judged_rows import conversation


def test_samples_come_in_the_order_of_the_reading_copy(tmp_path):
    """One reads the page, another the reading copy: both speak of the same first sample and the same doubtful ones."""
    project = DeskProject(tmp_path)
    sure = ((9.0, 0.45), (5.0, 0.9), (6.0, 0.55), (7.0, 0.2), (8.0, 0.7))
    talks = [conversation(f"What is {n} plus {n}?", f"It is {2 * n}, surely.") for n in range(len(sure))]
    project.propose([(talk, rating, acceptance) for talk, (rating, acceptance) in zip(talks, sure, strict=True)])
    samples = project.desk().night.samples
    assert [one.id for one in samples] == list(ballots(project.show(f"review/{NIGHT}/01.md")))
    assert [one.acceptance for one in samples[2:]] == [0.7, 0.2, 0.9]
    assert [one.is_doubtful for one in samples] == [True, True, False, False, False]
    project.close()


def test_a_sampling_plan_marks_its_samples(tmp_path):
    """Who has an hour reads what the plan says, no more."""
    project = DeskProject(tmp_path)
    project.propose([conversation(f"What is {n}?", f"It is {n}, surely.") for n in range(40)])
    planned = json.loads(project.show(f"nights/{NIGHT}.json"))["sampling_plan"]["ids"]
    assert 0 < len(planned) < 40
    assert {one.id for one in project.desk().night.samples if one.is_planned} == set(planned)
    project.close()


def test_others_are_shown_only_after_ones_own_decision(project):
    """Who has seen another's verdict first is led by it."""
    ann, bob = project.desk(ANN), project.desk(BOB)
    one = ids_of(ann)[0]
    ann.decide(one, "reject", reason="is wrong")
    ann.save()
    bob.save()
    assert bob.others(one) == ()
    assert view.sample_view(bob, one)["others"] == []
    bob.decide(one, "keep")
    assert [(vote.verdict, vote.reason) for vote in bob.others(one)] == [("reject", "is wrong")]


def test_what_is_damaged_on_the_branch_is_counted_and_kept(project):
    """Other people's lines are theirs: a save changes its own and leaves the rest byte for byte."""
    tree = project.work_tree()
    shard, decisions = tree / f"data/general/2026-11/{NIGHT}.jsonl", tree / f"decisions/{NIGHT}.jsonl"
    rubbish = b'{"id": 5}\nnot json\n[]\n{"messages": [{"role": "user", "content": 3}]}\n'
    shard.write_bytes(shard.read_bytes() + rubbish)
    decisions.parent.mkdir()
    decisions.write_bytes(b'{"verdict": "keep"}\n\xff\xfe\n')
    project.push(tree)
    desk = project.desk()
    assert desk.night.n_damaged == 6
    assert len(ids_of(desk)) == 6
    one = ids_of(desk)[0]
    desk.decide(one, "edit", messages=edited(desk, one, "Mended."))
    desk.save()
    assert set(rubbish.decode().splitlines()) <= set(project.shard())
    shown = git(project.remote, "cat-file", "-s", f"night/{NIGHT}:decisions/{NIGHT}.jsonl")
    assert int(shown) > len(decisions.read_bytes())


def test_a_decision_forged_in_ones_name_is_not_shown_as_ones_own(project):
    """Anybody may push a line with any reviewer in it."""
    desk = project.desk()
    one = ids_of(desk)[0]
    desk.decide(one, "reject")
    forged = {**orjson.loads(desk_line(desk, one)), "sample_id": ids_of(desk)[1]}
    tree = project.work_tree()
    (tree / "decisions").mkdir()
    (tree / f"decisions/{NIGHT}.jsonl").write_bytes(orjson.dumps(forged, option=orjson.OPT_SORT_KEYS) + b"\n")
    project.push(tree, BOB)
    desk.save()
    assert desk.ballot(one).verdict == "reject"
    assert desk.ballot(ids_of(desk)[1]) is None


def desk_line(desk: Desk, sample_id: str) -> bytes:
    from corpus.desk_save import decision_of

    ballot, line = desk.ballot(sample_id), desk.sample(sample_id).line
    return decision_of(ballot, line, night=NIGHT, reviewer=desk.reviewer.pseudonym).line()


def test_a_held_sample_gets_its_further_vote_on_the_page(project):
    """Settling tells people to vote once more; a page that was open meanwhile, and a new one, must be able to."""
    ann, bob, cleo = project.desk(ANN), project.desk(BOB), project.desk(Reviewer("Cleo", "cleo@example.org"))
    held, late = ids_of(ann)[:2]
    ann.decide(held, "keep")
    bob.decide(held, "reject")
    ann.save()
    bob.save()
    place = {"corpus": ann.place.corpus, "root": project.root, "clone": project.root / "mill" / "clone.git"}
    assert settle(NIGHT, **place, now="2026-11-06T07:00:00Z").held == (held,)
    assert open_nights(ann.place) == [NIGHT]
    cleo.decide(held, "reject")
    cleo.decide(late, "reject")
    assert cleo.save().n_decisions == 2
    again = settle(NIGHT, **place, now="2026-11-06T08:00:00Z")
    assert (again.state, again.held, again.counts["rejected"]) == ("settled", (), 2)
    assert open_nights(ann.place) == []
    assert project.desk(Reviewer("Dora", "dora@example.org")).progress().n_samples == 6


def test_an_unknown_night_names_those_that_are_there(project):
    """A mistyped date is the commonest mistake."""
    with pytest.raises(CorpusError, match=f"there are {NIGHT}"):
        project.desk(night="2026-11-05")


def test_search_finds_words_in_any_turn_and_ids(project):
    """All words must occur; upper and lower case are the same."""
    desk = project.desk()
    assert len(desk.search("SURELY it")) == 6
    found = desk.search("what 10, surely")
    assert [desk.sample(one).opening for one in found] == ["What is 5 plus 5?"]
    assert desk.search(ids_of(desk)[2][:12]) == [ids_of(desk)[2]]
    assert desk.search("nowhere") == []


def test_the_neighbour_is_the_sample_that_shares_rare_words(tmp_path):
    """Near-duplicates that dedupe let pass are what a reviewer wants beside each other."""
    project = DeskProject(tmp_path)
    talks = [
        conversation(f"Tell me about topic{n} and matter{n}.", f"Well, topic{n} is matter{n} indeed.") for n in range(9)
    ]
    project.propose([*talks, conversation("Tell me about topic3 and matter3, please.", "Indeed topic3 is matter3.")])
    desk = project.desk()
    by_opening = {one.opening: one for one in desk.night.samples}
    sample = by_opening["Tell me about topic3 and matter3, please."]
    nearest, neighbour = desk.neighbours(sample.id)[0]
    assert nearest.opening == "Tell me about topic3 and matter3."
    assert 0.2 < neighbour.shared <= 1
    project.close()


def test_a_reviewer_is_a_name_and_an_address():
    """The address becomes the commit's author and the pseudonym."""
    assert reviewer_of(" Ann  Reader <ann@example.org> ") == reviewer_of("Ann  Reader<ann@example.org>")
    for text in ("ann", "<ann@example.org>", "Ann <ann>", "Ann <a@b> <c@d>", "Ann\n <a@b>"):
        with pytest.raises(InputError):
            reviewer_of(text)


def test_a_night_that_this_machine_has_seen_opens_without_the_corpus(project):
    """On a train one reads and decides; the next save after it brings all of it."""
    first = project.desk()
    sample = first.night.samples[0].id
    first.close()
    near = project.place("Ann")
    far = Place(CorpusSettings(remote="http://127.0.0.1:9/corpus.git"), near.root, near.clone)
    assert open_nights(far) == [NIGHT]
    desk = Desk(far, NIGHT, ANN, folder=project.root / "Ann" / "review", clock=lambda: "2026-11-06T08:00:00Z")
    project.open_desks.append(desk)
    assert desk.problem is not None and "check the network" in desk.problem.lower()
    desk.decide(sample, "reject", reason="no")
    with pytest.raises(CorpusError, match="(?i)check the network"):
        desk.save()
    desk.close()
    assert project.desk().save().n_decisions == 1
    assert [one["sample_id"] for one in project.decisions()] == [sample]


def test_a_night_that_this_machine_never_saw_needs_the_corpus(project, tmp_path):
    """There is nothing to read."""
    far = Place(CorpusSettings(remote="http://127.0.0.1:9/corpus.git"), project.root, tmp_path / "none" / "clone.git")
    with pytest.raises(CorpusError, match="(?i)check the network"):
        Desk(far, NIGHT, ANN, folder=tmp_path / "review", clock=lambda: "2026-11-06T08:00:00Z")
