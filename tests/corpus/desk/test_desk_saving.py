"""The review desk saves as its reviewer; nothing is lost to crashes, to others or to a corpus out of reach."""

import threading

import pytest

from corpus.desk import Desk
from corpus.desk_journal import Held
from corpus.desk_place import open_nights
from schemas.decision import reviewer_name
from schemas.errors import CorpusError, InputError
from tests.corpus.desk_project import ANN, BOB, NIGHT, edited, git, ids_of


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


def test_a_second_page_for_the_same_reviewer_learns_of_the_first(project):
    """Two writers of one journal would mix; the second is told where the first is."""
    project.desk().journal.tell("http://127.0.0.1:1/secret/")
    with pytest.raises(Held) as held:
        project.desk()
    assert held.value.note == "http://127.0.0.1:1/secret/"
    assert (project.root / "Ann/review" / NIGHT / f"{ANN.pseudonym}.lock").stat().st_mode & 0o077 == 0
    assert project.desk(BOB).progress().n_samples == 6
