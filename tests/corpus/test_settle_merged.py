"""Nights that people merged by hand, branches that were rewritten: the decisions are still recorded, and it is tidy."""

import json

import pytest

from corpus.reading_copy import ballots
from corpus.settle import settle
from tests.corpus.propose_project import git
from tests.corpus.reviewed_night import BRANCH, DECISIONS, PAGE, RECORD, SHARD, Night, name_of

ANN, BOB = name_of("ann"), name_of("bob")


@pytest.fixture
def night(tmp_path) -> Night:
    return Night(tmp_path)


def reviewed(night: Night) -> None:
    """Ann unticks one and rejects one by a line, Bob deletes one and edits one."""
    night.person("ann").untick(night.ids[0]).commit().decide(night.ids[1]).done()
    night.person("bob").delete(night.ids[2]).commit().edit(night.ids[3], "Mended.").done()


def is_settled_as_reviewed(night: Night) -> bool:
    lines = [json.loads(line) for line in (night.file(SHARD) or "").splitlines()]
    edited = [line["id"] for line in lines if line["messages"][-1]["content"] == "Mended."]
    expected = sorted([*night.ids[4:], *edited])
    said = [(night.ids[0], "reject", ANN), (night.ids[1], "reject", ANN), (night.ids[2], "reject", BOB)]
    assert night.decisions() == sorted([*said, (night.ids[3], "edit", BOB)])
    assert ballots(night.file(PAGE) or "") == {one: number > 2 for number, one in enumerate(night.ids)}
    return len(edited) == 1 and edited[0] not in night.ids and night.kept() == expected


@pytest.mark.parametrize("how", ["--no-ff", "--ff-only", "--squash", "--rebase"])
@pytest.mark.parametrize("is_branch_there", [True, False])
def test_a_night_that_somebody_merged_is_put_in_order(night, how, is_branch_there):
    """Forges merge in four ways, and often delete the branch; who said what is in the history they leave."""
    reviewed(night)
    if how == "--squash" and not is_branch_there:
        return  # below
    night.merge(how)
    assert night.record().get("settled") is None
    if not is_branch_there:
        git(night.project.remote, "branch", "-q", "-D", BRANCH)
    settled = night.settle()
    assert settled.state == "settled" and is_settled_as_reviewed(night)
    assert settled.counts["rejected"] == 3 and settled.counts["edited"] == 1
    assert night.settle(now="2026-12-01T00:00:00Z").state == "unchanged"


def test_a_squash_whose_branch_is_gone_is_settled_from_what_this_machine_remembers(night):
    """The clone fetched the branch once; what it holds is enough."""
    reviewed(night)
    from corpus.open_nights import open_nights

    open_nights(night.project.corpus, **night.project.place)
    night.merge("--squash")
    git(night.project.remote, "branch", "-q", "-D", BRANCH)
    assert night.settle().state == "settled" and is_settled_as_reviewed(night)


def test_a_squash_whose_branch_is_gone_everywhere_asks_for_it_and_does_nothing(night):
    """Who said what cannot be known, so nothing is invented; a forge can restore the branch."""
    reviewed(night)
    night.merge("--squash")
    git(night.project.remote, "branch", "-q", "-D", BRANCH)
    before = night.project.head("main")
    place = {"root": night.root, "clone": night.root / "another.git"}
    settled = settle(night.record()["night"], corpus=night.project.corpus, now="2026-11-06T07:00:00Z", **place)
    assert settled.state == "refused" and "Restore the branch" in settled.problems[0]
    assert night.project.head("main") == before


def test_what_only_the_squash_rejects_is_said_by_who_squashed(night):
    """A maintainer deletes one more line while squashing; it must neither return nor be somebody else's word."""
    night.person("ann").untick(night.ids[0]).done()
    maintainer = night.person("maintainer", "main")
    maintainer.git("merge", "-q", "--squash", f"origin/{BRANCH}")
    maintainer.delete(night.ids[1]).commit("night").push("main")
    night.settle()
    assert night.kept() == night.ids[2:]
    assert night.decisions() == sorted([(night.ids[0], "reject", ANN), (night.ids[1], "reject", maintainer.reviewer)])


def test_a_half_merged_branch_is_merged_whole(night):
    """Somebody merged on the forge, and others went on."""
    ann = night.person("ann").untick(night.ids[0]).done()
    night.merge()
    ann.untick(night.ids[1]).done()
    settled = night.settle()
    assert settled.counts["rejected"] == 2 and night.kept() == night.ids[2:]
    assert git(night.project.remote, "rev-list", "--count", f"main..{BRANCH}") == "0"


def test_a_rejection_on_the_base_branch_itself_counts(night):
    """After the merge a maintainer deletes a line there."""
    night.merge()
    maintainer = night.person("cleo", "main").delete(night.ids[0]).done("main")
    night.settle()
    assert night.kept() == night.ids[1:] and night.decisions() == [(night.ids[0], "reject", maintainer.reviewer)]


def test_a_branch_rebased_onto_a_newer_base_is_settled_all_the_same(night):
    """A rebase makes all commits anew; authors and dates stay, and so does what they said."""
    reviewed(night)
    maintainer = night.person("maintainer", "main")
    maintainer.write("NEWS.md", "news\n")
    maintainer.done("main")
    ann = night.person("cleo")
    ann.git("rebase", "-q", "origin/main")
    ann.push(BRANCH, "--force")
    assert night.settle().state == "settled" and is_settled_as_reviewed(night)
    assert night.file("NEWS.md") == "news\n"


def test_a_branch_that_took_in_the_base_branch_is_settled_all_the_same(night):
    """Forges offer to update a branch; the merge is nobody's decision."""
    maintainer = night.person("maintainer", "main")
    maintainer.write("NEWS.md", "news\n")
    maintainer.done("main")
    reviewed(night)
    night.person("cleo").pull("main").push()
    settled = night.settle()
    assert settled.problems == () and is_settled_as_reviewed(night)


def test_a_proposal_that_was_squashed_away_is_refused_until_it_is_restored(night):
    """Without it nobody can tell what was proposed."""
    ann = night.person("ann").untick(night.ids[0]).commit()
    ann.git("reset", "-q", "--soft", "origin/main")
    ann.commit("all in one").push(BRANCH, "--force")
    settled = night.settle()
    assert settled.state == "refused" and "squashed or rewritten" in settled.problems[0]
    assert night.file(RECORD) is None


def test_lines_that_a_person_merged_and_nobody_proposed_are_left_where_they_are(night):
    """Nothing merged is lost; it is only told."""
    ann = night.person("ann")
    lines = [*ann.lines().values()]
    ann.put([*lines, {**lines[0], "id": "f" * 32, "provenance": {**lines[0]["provenance"], "night": "2020-01-01"}}])
    ann.done()
    night.merge()
    settled = night.settle()
    assert settled.state == "settled" and len(night.kept()) == 7 and "f" * 32 in night.kept()
    assert any("did not propose" in remark for remark in settled.remarks)
    assert night.settle().state == "unchanged"


def test_a_forged_line_that_a_person_merged_is_left_out_and_told(night):
    """The maintainer did not look; the record of who said what must still be true."""
    night.person("ann").decide(night.ids[0], as_who=BOB).decide(night.ids[1]).done()
    night.merge()
    settled = night.settle()
    assert night.decisions() == [(night.ids[1], "reject", ANN)] and night.ids[0] in night.kept()
    assert any(BOB in remark and ANN in remark for remark in settled.remarks)
    assert BOB not in (night.file(DECISIONS) or "")


def test_a_night_that_was_merged_and_reverted_is_told_as_such(night):
    """Nobody squashed anything: its branch is whole, and main had it once. Reverting the revert lets settle go on."""
    night.merge()
    maintainer = night.person("mia", "main")
    maintainer.git("revert", "--no-edit", "-m", "1", "HEAD")
    maintainer.push("main")
    reverted = night.project.head("main")
    settled = night.settle()
    assert settled.state == "refused"
    assert f"`git revert {reverted[:12]}`" in settled.problems[0]
    maintainer.git("revert", "--no-edit", reverted)
    maintainer.push("main")
    assert night.settle().counts["kept"] == 6


def test_a_forced_push_over_peoples_commits_is_told(night):
    """Their votes are gone without a trace in the branch; this machine saw them. A rebase of them is no loss."""
    from corpus.open_nights import open_nights

    ann = night.person("ann").decide(night.ids[0]).done()
    open_nights(night.project.corpus, **night.project.place)
    lost = ann.git("rev-parse", "HEAD")
    bob = night.person("bob")
    bob.git("reset", "-q", "--hard", night.proposal)
    bob.decide(night.ids[1]).commit().push(BRANCH, "--force")
    settled = night.settle()
    assert (settled.state, night.decisions()) == ("settled", [(night.ids[1], "reject", bob.reviewer)])
    (remark,) = settled.remarks
    assert f"1 commit(s) of {ann.reviewer} are gone" in remark and lost[:12] in remark


def test_a_rebased_branch_that_has_everybodys_commits_is_no_news(night):
    """Somebody brought it up to date with the base branch and kept the authors."""
    from corpus.open_nights import open_nights

    ann = night.person("ann").decide(night.ids[0]).done()
    open_nights(night.project.corpus, **night.project.place)
    ann.git("rebase", "-q", "--force-rebase", f"{night.proposal}~1")
    ann.push(BRANCH, "--force")
    settled = night.settle()
    assert (settled.state, settled.remarks) == ("settled", ())
    assert night.decisions() == [(night.ids[0], "reject", ann.reviewer)]
