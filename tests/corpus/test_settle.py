"""Settling a night: what people said, in whatever way, becomes the corpus, and doing it again changes nothing."""

import hashlib
import json
import subprocess
import threading

import pytest

from corpus.decisions import read_decided
from corpus.reading_copy import ballots
from corpus.review import Comment
from schemas.decision import reviewer_name
from schemas.errors import CorpusError, InputError
from tests.corpus.propose_project import NIGHT, git
from tests.corpus.reviewed_night import (
    BRANCH,
    DECISIONS,
    NOW,
    PAGE,
    RECORD,
    SHARD,
    Night,
    name_of,
)  # fmt: skip

ANN, BOB = name_of("ann"), name_of("bob")


@pytest.fixture
def night(tmp_path) -> Night:
    return Night(tmp_path)


def test_nobody_said_anything_and_everything_is_kept_by_one_merge(night):
    """A sample that nobody rejects is kept, and no decision is invented for it."""
    settled = night.settle()
    assert (settled.state, settled.counts["kept"], settled.counts["proposed"]) == ("settled", 6, 6)
    assert night.kept() == night.ids and night.file(DECISIONS) is None
    parents = git(night.project.remote, "log", "-1", "--format=%P", "main").split()
    assert parents[1] == night.proposal and len(parents) == 2
    assert git(night.project.remote, "log", "-1", "--format=%an %ae %aI", "main") == (
        "Gristmill gristmill@localhost 2026-11-06T07:00:00+00:00"
    )


def test_four_ways_to_reject_mean_the_same(night):
    """A box, a deleted line, a line of decisions and a comment; each is its author's."""
    night.person("ann").untick(night.ids[0]).done()
    night.person("bob").delete(night.ids[1]).done()
    night.person("cleo").decide(night.ids[2], reason="wrong").done()
    comment = Comment("github:Dora", "2026-11-05T09:00:00Z", f"Hm.\n/reject {night.ids[3][:8]} it is *wrong*\r\n")
    settled = night.settle(comment)
    assert night.kept() == night.ids[4:]
    dora = reviewer_name("github:dora")
    who = [ANN, BOB, name_of("cleo"), dora]
    assert night.decisions() == sorted((one, "reject", name) for one, name in zip(night.ids, who, strict=False))
    assert settled.reviewers == dict(sorted(dict.fromkeys(who, 1).items()))
    reasons = {one["reviewer"]: one["reason"] for one in map(json.loads, (night.file(DECISIONS) or "").splitlines())}
    assert reasons[dora] == "it is *wrong*"


def test_the_record_and_the_reading_copy_show_the_outcome(night):
    """Who looks at the corpus later sees what became of each sample, and can check every file."""
    night.person("ann").untick(night.ids[0]).edit(night.ids[1], "Better.").done()
    night.settle()
    told = night.record()["settled"]
    assert {name: told[name] for name in ("proposed", "kept", "rejected", "edited", "held")} == {
        "proposed": 6, "kept": 4, "rejected": 1, "edited": 1, "held": 0,
    }  # fmt: skip
    assert set(told["files"]) == {SHARD, DECISIONS, PAGE, f"review/{NIGHT}/index.md"}
    for path, facts in told["files"].items():
        assert facts["sha256"] == hashlib.sha256((night.file(path) or "").encode()).hexdigest()
    assert told["files"][SHARD]["samples"] == 5
    assert ballots(night.file(PAGE) or "") == {one: one != night.ids[0] for one in night.ids}
    assert night.record()["steps"] == json.loads(night.file(RECORD, BRANCH) or "")["steps"]


def test_an_edit_replaces_its_sample_and_keeps_the_original_beside(night):
    """The reviewer's words are chosen, the model's are the rejected side of a preference pair."""
    ann = night.person("ann")
    original = ann.lines()[night.ids[0]]
    ann.edit(night.ids[0], "It is less than you think.").done()
    night.settle()
    lines = [json.loads(line) for line in (night.file(SHARD) or "").splitlines()]
    (edited,) = [line for line in lines if line["id"] not in night.ids]
    assert night.ids[0] not in [line["id"] for line in lines] and lines == sorted(lines, key=lambda one: one["id"])
    assert edited["messages"][-1]["content"] == "It is less than you think."
    beside = {"turn": 1, "content": original["messages"][-1]["content"], "rank": None, "vote": -1}
    assert beside in edited["alternatives"] and edited["provenance"] == original["provenance"]
    (decision,) = map(json.loads, (night.file(DECISIONS) or "").splitlines())
    assert (decision["verdict"], decision["edited_id"]) == ("edit", edited["id"])


def test_reviewers_who_stand_against_each_other_have_the_sample_held_until_somebody_decides(night):
    """A draw is no decision: the sample stays out, can be found, and one more vote brings it in."""
    night.person("ann").untick(night.ids[0]).done()
    bob = night.person("bob").decide(night.ids[0], "keep").done()
    settled = night.settle()
    assert settled.held == (night.ids[0],) == tuple(night.record()["settled"]["held_ids"])
    assert night.ids[0] not in night.kept() and len(night.decisions()) == 2
    night.person("cleo").decide(night.ids[0], "keep").done()
    later = night.settle(now="2026-11-07T07:00:00Z")
    assert (later.state, later.held, later.counts["kept"]) == ("settled", (), 6)
    assert night.kept() == night.ids and len(night.decisions()) == 3
    assert bob.reviewer in later.reviewers


@pytest.mark.parametrize(("rule", "kept"), [("hold", True), ("majority", True), ("any_reject", False)])
def test_the_rule_for_conflicts_is_the_one_of_the_settings(night, rule, kept):
    """Two to one: with `any_reject` one careful reader is enough, else most decide."""
    night.person("ann").untick(night.ids[0]).done()
    for name in ("bob", "cleo"):
        night.person(name).decide(night.ids[0], "keep").done()
    night.settle(conflict=rule)
    assert (night.ids[0] in night.kept()) is kept


def test_a_box_ticked_again_by_the_same_person_is_no_decision_and_by_another_is_a_contradiction(night):
    """People correct themselves; nobody corrects others silently."""
    night.person("ann").untick(night.ids[0], night.ids[1]).commit().tick(night.ids[0]).done()
    night.person("bob").tick(night.ids[1]).done()
    settled = night.settle()
    assert night.decisions() == sorted([(night.ids[1], "reject", ANN), (night.ids[1], "keep", BOB)])
    assert settled.held == (night.ids[1],)


def test_a_line_of_decisions_is_withdrawn_by_its_author_and_survives_everybody_else(night):
    """Lines are a set that only their authors take from."""
    ann = night.person("ann").decide(night.ids[0]).decide(night.ids[1]).done()
    night.person("bob").decide(night.ids[2]).done()
    ann.pull()
    own = [line for line in ann.read(DECISIONS).splitlines() if json.loads(line)["sample_id"] == night.ids[1]]
    ann.write(DECISIONS, "".join(f"{line}\n" for line in own))
    ann.done()
    night.settle()
    assert night.decisions() == sorted([(night.ids[1], "reject", ANN), (night.ids[2], "reject", BOB)])
    ann.write(DECISIONS, "")
    ann.done()
    night.settle()
    assert night.decisions() == [(night.ids[2], "reject", BOB)] and night.ids[1] in night.kept()


def test_of_two_peoples_edits_of_one_sample_the_latest_stands(night):
    """Git merges a line changed here and a line added there into both: that keeps nobody from settling."""
    one = night.ids[2]
    ann, bob = night.person("ann"), night.person("bob")
    ann.edit(one, "Ann's better answer.").done()
    bob.hour = 30
    bob.edit(one, "Bob's better answer.").commit()
    bob.git("pull", "-q", "--no-edit", "--no-rebase", "-s", "recursive", "-X", "ours", "origin", BRANCH)
    both = [*bob.read(SHARD).splitlines(), *(line for line in ann.read(SHARD).splitlines() if "Ann's" in line)]
    bob.write(SHARD, "".join(f"{line}\n" for line in both))
    bob.git("add", "-A")
    bob.git("commit", "-q", "--amend", "--no-edit")
    bob.push()
    settled = night.settle()
    assert (settled.state, settled.counts["edited"]) == ("settled", 1)
    assert "Bob's better answer." in night.file(SHARD)
    assert "Ann's better answer." not in night.file(SHARD)
    assert len(night.kept()) == 6


def test_an_edit_of_an_edit_is_one_sample_and_the_last_stands(night):
    """Reviewers mend each other's words; the corpus has one line of it."""
    ann = night.person("ann").edit(night.ids[0], "First try.").done()
    bob = night.person("bob").edit(night.ids[0], "Second try.").done()
    settled = night.settle()
    texts = [json.loads(line)["messages"][-1]["content"] for line in (night.file(SHARD) or "").splitlines()]
    assert "Second try." in texts and "First try." not in texts and len(texts) == 6
    assert settled.counts["edited"] == 1 and {ann.reviewer, bob.reviewer} == set(settled.reviewers)


def test_settling_again_changes_nothing_whenever_it_is(night):
    """A schedule that fires twice must not make commits."""
    night.person("ann").untick(night.ids[0]).decide(night.ids[1]).done()
    first = night.settle()
    again = night.settle(now="2027-01-01T00:00:00Z")
    assert (again.state, again.commit, again.counts) == ("unchanged", first.commit, first.counts)


def test_the_commit_depends_on_base_tip_comments_and_instant_alone(night, tmp_path_factory):
    """Anybody can settle and get the same commit; nothing of a machine is in it."""
    commits = set()
    for _ in range(2):
        other = Night(tmp_path_factory.mktemp("elsewhere"))
        other.person("ann").untick(other.ids[0]).delete(other.ids[1]).decide(other.ids[2]).done()
        commits.add(other.settle().commit)
    assert len(commits) == 1


def test_what_is_pushed_while_it_runs_is_in_the_next_one(night):
    """Nothing is lost: the late commit stays on the branch, and settling takes it up."""
    ann = night.person("ann").untick(night.ids[0]).done()
    night.settle()
    ann.untick(night.ids[1]).done()
    late = night.settle(now="2026-11-07T07:00:00Z")
    assert (late.state, late.counts["rejected"]) == ("settled", 2) and night.kept() == night.ids[2:]
    assert git(night.project.remote, "merge-base", "--is-ancestor", BRANCH, "main") == ""


def test_a_push_to_the_base_branch_while_it_runs_is_not_overwritten(night, monkeypatch):
    """The lease fails, and everything is decided anew on the new base."""
    from corpus.clone import Clone

    other = night.person("ann", "main")
    push = Clone.push
    pushed = []

    def raced(store, *given, **asked):
        if not pushed:
            pushed.append(True)
            other.write("NEWS.md", "news\n")
            other.commit().push("main")
        return push(store, *given, **asked)

    monkeypatch.setattr(Clone, "push", raced)
    assert night.settle().state == "settled"
    assert night.file("NEWS.md") == "news\n" and night.kept() == night.ids


def test_two_settles_at_once_make_one_commit(night):
    """Two machines with the same schedule."""
    night.person("ann").untick(night.ids[0]).done()
    from corpus.settle import settle

    results = []

    def run(number: int) -> None:
        place = {"root": night.root, "clone": night.root / f"clone-{number}.git"}
        results.append(settle(NIGHT, corpus=night.project.corpus, now=f"2026-11-06T07:00:0{number}Z", **place))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.state for one in results) == ["settled", "unchanged", "unchanged"]
    assert git(night.project.remote, "rev-list", "--count", "--grep=^settle", "main") == "1"


def test_reviewers_on_parallel_branches_are_merged_without_loss(night):
    """Two people untick the same box and others at once, and one merges: each said what they said."""
    ann, bob = night.person("ann"), night.person("bob")
    ann.untick(night.ids[0], night.ids[1]).commit()
    bob.untick(night.ids[0], night.ids[1]).delete(night.ids[3]).decide(night.ids[2]).commit()
    ann.push()
    bob.pull().push()
    night.settle()
    both = [(one, "reject", who) for one in night.ids[:2] for who in (ANN, BOB)]
    assert night.decisions() == sorted([*both, (night.ids[2], "reject", BOB), (night.ids[3], "reject", BOB)])


def test_files_with_other_line_ends_say_nothing(night):
    """An editor on another system rewrites every line; nobody has decided anything by that."""
    ann = night.person("ann")
    for path in (SHARD, PAGE, f"review/{NIGHT}/index.md"):
        ann.write(path, ann.read(path).replace("\n", "\r\n"))
    ann.commit().delete(night.ids[0]).untick(night.ids[1]).done()
    settled = night.settle()
    assert settled.problems == () and b"\r" not in (night.file(SHARD) or "").encode()
    assert night.decisions() == sorted([(night.ids[0], "reject", ANN), (night.ids[1], "reject", ANN)])
    assert night.kept() == night.ids[2:]


def test_a_night_of_which_everything_was_rejected_leaves_no_shard(night):
    """An empty file would be a shard without samples."""
    ann = night.person("ann")
    ann.delete(*night.ids).done()
    settled = night.settle()
    assert night.file(SHARD) is None and settled.counts["rejected"] == 6
    assert night.settle().state == "unchanged"


def test_comments_that_name_no_sample_are_told_and_do_nothing_else(night):
    """Comments are anybody's chat; a mistyped id must not vanish."""
    said = [
        Comment("github:x", "2026-11-05T09:00:00Z", "/reject 00000000 because"),
        Comment("github:x", "2026-11-05T09:00:00Z", f"> /reject {night.ids[0]} quoted\nand /reject {night.ids[0]}"),
        Comment("github:x", "2026-11-05T09:00:00Z", f"/reject {night.ids[0][:7]}"),
        Comment("github:x", "yesterday", f"/reject {night.ids[1]}"),
    ]
    settled = night.settle(*said)
    assert settled.counts["kept"] == 6 and len(settled.remarks) == 2
    assert "because" not in " ".join(settled.remarks)


def test_the_latest_of_two_comments_of_one_person_counts(night):
    """People change their minds."""
    at = "2026-11-05T09:0{}:00Z"
    night.settle(
        Comment("github:x", at.format(1), f"/reject {night.ids[0]}"),
        Comment("github:x", at.format(2), f"/keep {night.ids[0]}"),
    )
    assert night.kept() == night.ids


def test_decisions_of_comments_stay_when_the_comments_are_gone(night):
    """A forge may be left or be down; the repository has what was settled."""
    night.settle(Comment("github:x", "2026-11-05T09:00:00Z", f"/reject {night.ids[0]}"))
    assert night.settle().state == "unchanged" and night.kept() == night.ids[1:]


def test_a_sample_that_was_withdrawn_meanwhile_does_not_come_in(night):
    """A tombstone is stronger than any vote, and it is no vote."""
    maintainer = night.person("maintainer", "main")
    stone = {"sample_id": night.ids[0], "reason": "asked", "withdrawn_at": "2026-11-05T00:00:00Z"}
    maintainer.write("tombstones.jsonl", json.dumps(stone) + "\n")
    maintainer.done("main")
    night.person("ann").decide(night.ids[0], "keep").done()
    settled = night.settle()
    assert settled.counts["withdrawn"] == 1 and settled.counts["kept"] == 5 and night.kept() == night.ids[1:]


def test_a_retraction_after_settling_is_not_undone(night):
    """Whoever settles again must not bring back what was taken out."""
    night.settle()
    maintainer = night.person("maintainer", "main")
    stone = {"sample_id": night.ids[0], "reason": "asked", "withdrawn_at": "2026-11-07T00:00:00Z"}
    maintainer.write("tombstones.jsonl", json.dumps(stone) + "\n")
    maintainer.delete(night.ids[0]).done("main")
    night.person("ann").untick(night.ids[1]).done()
    settled = night.settle(now="2026-11-08T00:00:00Z")
    assert night.kept() == night.ids[2:] and night.decisions() == [(night.ids[1], "reject", ANN)]
    assert settled.counts["withdrawn"] == 1


def test_the_judge_learns_from_what_settle_writes(night):
    """Kept, rejected and held samples and edits are found with their texts, even after broken lines in between."""
    ann = night.person("ann")
    shard = ann.read(SHARD)
    ann.write(SHARD, shard + "{broken\n")
    ann.commit()
    ann.write(SHARD, shard)
    ann.untick(night.ids[0]).edit(night.ids[1], "Mended.").decide(night.ids[2], "keep").decide(night.ids[3]).done()
    night.person("bob").decide(night.ids[3], "keep").done()
    night.settle()
    found = read_decided(night.project.corpus, nights=night.root / "none", **night.project.place)
    keep = {one.sample_id: one.keep for one in found.samples}
    assert keep == {night.ids[0]: 0.0, night.ids[1]: 0.0, night.ids[2]: 1.0, night.ids[3]: 0.5}
    (edit,) = [one.edits for one in found.samples if one.edits]
    assert [turns[-1].content for turns in edit.values()] == ["Mended."] and found.missing == ()


def test_an_unknown_night_is_a_clear_error(night):
    """The night was mistyped, or never proposed."""
    from corpus.settle import settle

    with pytest.raises(CorpusError, match="no night 2026-01-02"):
        settle("2026-01-02", corpus=night.project.corpus, now=NOW, **night.project.place)
    with pytest.raises(InputError, match="not a night"):
        settle("../x", corpus=night.project.corpus, now=NOW, **night.project.place)


def test_several_nights_are_settled_one_after_the_other(night):
    """Later nights are merged onto earlier ones, and none touches another."""
    from corpus.settle import settle

    night.project.propose(range(10, 14), "2026-11-05")
    night.person("ann").untick(night.ids[0]).done()
    night.settle()
    second = settle("2026-11-05", corpus=night.project.corpus, now=NOW, **night.project.place)
    assert second.state == "settled" and second.counts["kept"] == 4 and night.kept() == night.ids[1:]
    done = subprocess.run(["git", "fsck", "--strict"], cwd=night.project.remote, capture_output=True, check=False)
    assert done.returncode == 0
