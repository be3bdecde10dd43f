"""The review desk: nothing decided is lost, nobody is overwritten, nobody is led by others."""

import json
import threading

import orjson
import pytest

from corpus import desk_view as view
from corpus.desk import Desk
from corpus.desk_journal import Held
from corpus.desk_place import Place, Reviewer, open_nights, reviewer_of
from corpus.reading_copy import ballots
from corpus.review import collect
from corpus.settle import settle
from schemas.conversation import Turn, content_id
from schemas.decision import reviewer_name
from schemas.errors import CorpusError, InputError
from schemas.settings import CorpusSettings
from tests.corpus.desk_project import ANN, BOB, NIGHT, DeskProject, git
from tests.corpus.judged_rows import conversation


@pytest.fixture
def project(tmp_path):
    project = DeskProject(tmp_path)
    project.propose()
    yield project
    project.close()


def ids_of(desk: Desk) -> list[str]:
    return [sample.id for sample in desk.night.samples]


def edited(desk: Desk, sample_id: str, text: str, turn: str = "1") -> list[dict]:
    return view.edited_messages(desk, sample_id, {turn: text})


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


def test_a_save_is_one_commit_under_the_reviewers_name(project):
    """Settle counts a line only if its author added it; the message must not carry a word of a conversation."""
    desk = project.desk()
    first, second, third, *_ = ids_of(desk)
    desk.decide(first, "keep")
    desk.decide(second, "reject", reason="is wrong")
    desk.decide(third, "keep")
    assert desk.save().n_decisions == 3
    shown = git(project.remote, "log", "-1", "--format=%an|%ae|%cn|%B", f"night/{NIGHT}")
    assert shown == f"Ann Reader|ann@example.org|Ann Reader|review: {NIGHT}, 2 kept, 1 rejected"
    said = {line["sample_id"]: (line["verdict"], line["reason"]) for line in project.decisions()}
    assert said == {first: ("keep", ""), second: ("reject", "is wrong"), third: ("keep", "")}
    assert {line["reviewer"] for line in project.decisions()} == {reviewer_name("mailto:ann@example.org")}
    assert git(project.remote, "rev-list", "--count", f"main..night/{NIGHT}") == "2"
    assert desk.progress().n_unsaved == 0


def test_saving_twice_makes_no_second_commit(project):
    """A save is what people type when they are unsure."""
    desk = project.desk()
    desk.decide(ids_of(desk)[0], "keep")
    desk.save()
    assert desk.save().commit is None
    desk.decide(ids_of(desk)[0], "keep")
    assert desk.progress().n_unsaved == 0
    assert desk.save().commit is None


def test_a_decision_survives_a_crash_before_it_is_saved(project):
    """A closed browser or a dead machine costs nothing that the page has confirmed."""
    desk = project.desk()
    one, two, *_ = ids_of(desk)
    desk.decide(one, "reject", reason="is wrong")
    desk.decide(two, "edit", messages=edited(desk, two, "It is another thing."))
    desk.close()
    project.open_desks.clear()
    with desk.journal.path.open("ab") as file:
        file.write(b'{"sample_id":"half a li')  # the power failed here
    again = project.desk()
    assert again.ballot(one).reason == "is wrong"
    assert again.ballot(two).messages[1]["content"] == "It is another thing."
    assert again.progress().n_unsaved == 2
    assert again.undo() == two, "what was decided before the crash can be undone after it"
    assert again.ballot(two) is None


def test_a_damaged_journal_is_named_and_not_passed_over(project):
    """A decision that vanishes in silence is worse than a stop."""
    desk = project.desk()
    desk.decide(ids_of(desk)[0], "keep")
    desk.close()
    project.open_desks.clear()
    desk.journal.path.write_bytes(b"not json\n" + desk.journal.path.read_bytes())
    with pytest.raises(InputError, match="line 1 is damaged"):
        project.desk()


def test_a_corpus_out_of_reach_keeps_decisions_here(project):
    """On a train nothing is lost: the next save brings it."""
    desk = project.desk()
    desk.decide(ids_of(desk)[0], "keep")
    away = project.remote.rename(project.root / "away.git")
    with pytest.raises(CorpusError, match="does not exist"):
        desk.save()
    assert desk.progress().n_unsaved == 1
    assert not project.remote.exists(), "no empty corpus is made where the real one was"
    away.rename(project.remote)
    assert desk.save().n_decisions == 1
    assert desk.progress().n_unsaved == 0


def test_two_reviewers_never_overwrite_each_other(project):
    """Both opened the night before either saved; the second must not push over the first."""
    ann, bob = project.desk(ANN), project.desk(BOB)
    one, two, *_ = ids_of(ann)
    ann.decide(one, "keep")
    ann.decide(two, "edit", messages=edited(ann, two, "Ann's words."))
    bob.decide(one, "reject", reason="is wrong")
    ann.save()
    bob.save()
    said = {(line["reviewer"], line["sample_id"], line["verdict"]) for line in project.decisions()}
    assert said == {
        (ANN.pseudonym, one, "keep"),
        (ANN.pseudonym, two, "edit"),
        (BOB.pseudonym, one, "reject"),
    }
    assert sum("Ann's words." in line for line in project.shard()) == 1


def test_reviewers_who_save_at_the_same_moment_all_get_through(project):
    """A lost race is tried again on the branch as it is then; with every push one of them wins."""
    desks = [project.desk(ANN), project.desk(BOB)]
    failures = []

    def work(desk: Desk) -> None:
        try:
            for sample_id in ids_of(desk)[:4]:
                desk.decide(sample_id, "keep")
                desk.save()
        except CorpusError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(project.decisions()) == 8


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


def test_undo_after_a_save_withdraws_the_decision(project):
    """What is saved is not carved in stone until the night is merged; settle must read it as withdrawn, too."""
    desk = project.desk()
    one, two, *_ = ids_of(desk)
    desk.decide(one, "keep")
    desk.decide(two, "keep")
    desk.save()
    assert desk.undo() == two
    assert desk.progress().n_unsaved == 1
    desk.save()
    assert [line["sample_id"] for line in project.decisions()] == [one]

    def collected(store):
        heads = store.heads()
        store.fetch(heads)
        return collect(store, NIGHT, base=heads["main"], tip=heads[f"night/{NIGHT}"])

    assert {vote.sample_id for vote in desk.place.work(collected).decisions} == {one}


def test_a_later_decision_replaces_an_earlier_one_of_the_same_second(project):
    """Votes are ordered by their second; a reviewer is quicker than that."""
    desk = project.desk(clock=lambda: "2026-11-05T08:00:00Z")
    one = ids_of(desk)[0]
    desk.decide(one, "reject")
    desk.save()
    desk.decide(one, "keep")
    desk.save()
    lines = sorted(project.decisions(), key=lambda line: line["decided_at"])
    assert [(line["verdict"], line["decided_at"][-3:]) for line in lines] == [("reject", "00Z"), ("keep", "01Z")]
    assert desk.ballot(one).verdict == "keep"


def test_an_edit_replaces_the_line_and_undo_restores_its_bytes(project):
    """The shard holds what would be merged: the edited sample under its own id, or the original as it was."""
    desk = project.desk()
    before = project.shard()
    one = ids_of(desk)[0]
    desk.decide(one, "edit", messages=edited(desk, one, "It is what it is."))
    desk.save()
    decision = project.decisions()[0]
    changed = [orjson.loads(line) for line in project.shard() if line not in before]
    assert [line["id"] for line in changed] == [decision["edited_id"]]
    assert changed[0]["id"] == content_id([Turn(**message) for message in changed[0]["messages"]])
    assert changed[0]["alternatives"][-1]["vote"] == -1
    ids = [orjson.loads(line)["id"] for line in project.shard()]
    assert ids == sorted(ids) and one not in ids
    assert desk.ballot(one).messages[1]["content"] == "It is what it is."
    desk.undo()
    desk.save()
    assert project.shard() == before
    assert project.decisions() == []


def test_an_edit_of_an_edit_leaves_one_line(project):
    """A second thought replaces the first; the original stays what it is an edit of."""
    desk = project.desk()
    one = ids_of(desk)[0]
    for text in ("First thought.", "Second thought."):
        desk.decide(one, "edit", messages=edited(desk, one, text))
        desk.save()
    assert len(project.shard()) == 6
    assert not any("First thought." in line for line in project.shard())
    assert desk.ballot(one).messages[1]["content"] == "Second thought."
    assert view.sample_view(desk, one)["changes"][0]["turn"] == 1


def test_another_reviewers_edit_is_what_is_decided_on(project):
    """What would be merged is what people must have read."""
    ann = project.desk(ANN)
    one = ids_of(ann)[0]
    ann.decide(one, "edit", messages=edited(ann, one, "Ann's words."))
    ann.save()
    bob = project.desk(BOB)
    new = project.decisions()[0]["edited_id"]
    assert one not in ids_of(bob) and new in ids_of(bob) and len(ids_of(bob)) == 6
    assert "Ann&#39;s" in view.sample_view(bob, new)["edited_from"][0]["html"]
    bob.decide(new, "edit", messages=edited(bob, new, "Bob's words."))
    bob.save()
    assert [orjson.loads(line)["messages"][1]["content"] for line in project.shard() if "words." in line] == [
        "Bob's words."
    ]
    bob.close()
    again = project.desk(BOB)
    assert again.ballot(new).messages[1]["content"] == "Bob's words.", "the line that he edited is in the history only"
    again.undo() or again.decide(new, None)
    again.save()
    assert any("Ann's words." in line for line in project.shard())


@pytest.mark.parametrize("change", [{"content": ""}, {"content": "\ud800"}])
def test_an_edit_that_is_none_is_refused_at_once(project, change):
    """A refusal at save time, an hour later, would help nobody."""
    desk = project.desk()
    one = ids_of(desk)[0]
    with pytest.raises(InputError):
        desk.decide(one, "edit", messages=edited(desk, one, change["content"]))
    with pytest.raises(InputError):
        desk.decide(one, "reject", reason="a\x00b")
    with pytest.raises(InputError):
        desk.decide("0" * 32, "keep")
    assert desk.journal.ballots == []


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


def test_a_box_unticked_with_git_counts_and_is_not_undone_here(project):
    """The ways to decide mean the same; what a box says only the box can take back."""
    tree = project.work_tree(who=ANN)
    one = project.desk(BOB).night.samples[0].id
    for page in (tree / f"review/{NIGHT}").glob("0*.md"):
        page.write_text(page.read_text().replace(f"- [x] keep `{one}`", f"- [ ] keep `{one}`"))
    project.push(tree, ANN)
    desk = project.desk(ANN)
    assert desk.ballot(one).verdict == "reject"
    with pytest.raises(InputError, match="tick or restore it there"):
        desk.decide(one, None)
    desk.decide(one, "keep")
    desk.save()
    assert desk.ballot(one).verdict == "keep"


def test_a_night_that_was_merged_and_deleted_says_so_and_keeps_what_was_decided(project):
    """Somebody merged while somebody read: nothing is pushed, nothing is lost."""
    desk = project.desk()
    desk.decide(ids_of(desk)[0], "reject", reason="is wrong")
    tree = project.work_tree("main")
    git(tree, "merge", "--quiet", "--no-edit", "--no-ff", f"origin/night/{NIGHT}")
    git(tree, "push", "--quiet", "origin", "main", f":night/{NIGHT}")
    with pytest.raises(CorpusError, match="merged already and its branch"):
        desk.save()
    assert desk.progress().n_unsaved == 1
    assert open_nights(desk.place) == []
    with pytest.raises(CorpusError, match="merged already and its branch"):
        project.desk(BOB)


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


def test_a_second_page_for_the_same_reviewer_learns_of_the_first(project):
    """Two writers of one journal would mix; the second is told where the first is."""
    project.desk().journal.tell("http://127.0.0.1:1/secret/")
    with pytest.raises(Held) as held:
        project.desk()
    assert held.value.note == "http://127.0.0.1:1/secret/"
    assert (project.root / "Ann/review" / NIGHT / f"{ANN.pseudonym}.lock").stat().st_mode & 0o077 == 0
    assert project.desk(BOB).progress().n_samples == 6


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
