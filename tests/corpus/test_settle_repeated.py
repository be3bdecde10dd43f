"""Two open nights that hold nearly the same: who is settled first keeps it, the check says so, and nothing is lost."""

import json
from pathlib import Path

import pytest

from corpus.bulk import BulkObjects
from corpus.check import Problem, check_change
from corpus.review import Comment
from corpus.settle import Settled, settle
from tests.corpus.judged_rows import conversation
from tests.corpus.release_corpus import words
from tests.corpus.retract_project import LATER, NIGHT, Project, git

NOW = "2026-11-07T07:00:00Z"
SAME = words(1, 90)


class TwoNights(Project):
    """Open nights with one sample each that is nearly the other's, and one of their own."""

    def __init__(self, root: Path, later: str = SAME + " and so on") -> None:
        super().__init__(root)
        texts = {NIGHT: (SAME, words(2, 60)), LATER: (later, words(3, 60))}
        self.ids = {}
        for night, (same, own) in texts.items():
            made = self.propose([conversation(words(9, 12), same), conversation(words(len(own), 9), own)], night)
            self.ids[night] = {one["messages"][-1]["content"] in (SAME, later): name for name, one in made.items()}

    def settle(self, night: str, *comments: Comment) -> Settled:
        return settle(night, corpus=self.corpus, now=NOW, comments=comments, **self.place)

    def kept(self, night: str) -> set[str]:
        try:
            shard = self.show(f"data/general/2026-11/{night}.jsonl")
        except Exception:  # noqa: BLE001 (no such file)
            return set()
        return {json.loads(line)["id"] for line in shard.splitlines()}

    def checked(self, night: str) -> list[Problem]:
        base, tip = (git(self.remote, "rev-parse", one) for one in ("main", f"night/{night}"))
        return check_change(BulkObjects(self.remote), base, tip)

    def rejecting(self, night: str) -> Comment:
        return Comment("github:ann", NOW, f"/reject {self.ids[night][True][:12]} not good")


@pytest.fixture
def nights(tmp_path: Path) -> TwoNights:
    return TwoNights(tmp_path)


def test_who_is_settled_first_keeps_the_sample_and_the_other_is_told(nights):
    """The check of the second night turns from green to a warning: settle mends it. Settling again changes nothing."""
    assert nights.checked(LATER) == []
    assert nights.settle(NIGHT).counts["kept"] == 2
    (warned,) = nights.checked(LATER)
    assert (warned.code, warned.is_mended) == ("near_duplicate", True)
    done = nights.settle(LATER)
    assert (done.state, done.counts["kept"], done.counts["repeated"], done.held) == ("settled", 1, 1, ())
    first, second = nights.ids[NIGHT][True], nights.ids[LATER][True]
    assert any(second in remark and first in remark for remark in done.remarks) and "1 repeated" in done.message
    assert nights.kept(LATER) == {nights.ids[LATER][False]} and len(nights.kept(NIGHT)) == 2
    record = json.loads(nights.show(f"nights/{LATER}.json"))["settled"]
    assert record["repeated"] == {second: first}
    assert second in nights.show(f"data/general/2026-11/{LATER}.jsonl", f"night/{LATER}"), "its night still has it"
    again = nights.settle(LATER)
    assert (again.state, again.counts) == ("unchanged", done.counts)
    assert nights.settle(NIGHT).state == "unchanged", "what was settled first stays, though the other came later"


def test_equal_samples_are_one(tmp_path):
    """Two logs of one conversation: the corpus has it once, under one id."""
    nights = TwoNights(tmp_path, SAME)
    assert nights.ids[NIGHT][True] == nights.ids[LATER][True]
    nights.settle(NIGHT)
    assert {(one.code, one.is_mended) for one in nights.checked(LATER)} == {("exact_duplicate", True)}
    assert nights.settle(LATER).counts["repeated"] == 1
    assert not nights.kept(NIGHT) & nights.kept(LATER)


def test_what_people_rejected_keeps_nothing_out_and_what_left_comes_back(nights):
    """Rejected in the one, kept in the other; and a late vote against the one that stayed lets the other in."""
    assert nights.settle(NIGHT, nights.rejecting(NIGHT)).counts["rejected"] == 1
    assert nights.settle(LATER).counts["kept"] == 2
    other = TwoNights(nights.root / "other")
    other.settle(NIGHT)
    assert other.settle(LATER).counts["repeated"] == 1
    assert other.settle(NIGHT, other.rejecting(NIGHT)).counts["rejected"] == 1
    assert other.settle(LATER).counts["kept"] == 2 and other.ids[LATER][True] in other.kept(LATER)


def test_nights_that_were_merged_by_hand_end_with_one_of_the_two(nights):
    """What is merged and not settled keeps nothing out: it may yet be rejected. Settled last, it gives way."""
    nights.merge(NIGHT)
    assert nights.settle(LATER).counts["kept"] == 2
    assert nights.settle(NIGHT).counts["repeated"] == 1
    assert nights.kept(NIGHT) == {nights.ids[NIGHT][False]} and len(nights.kept(LATER)) == 2


def test_a_rebase_hides_nothing(nights):
    """The record says beside which state of the corpus the night was proposed."""
    nights.settle(NIGHT)
    tree = nights.tree(f"night/{LATER}")
    git(tree, "rebase", "--quiet", "--force-rebase", "origin/main")
    git(tree, "push", "--quiet", "--force", "origin", f"HEAD:night/{LATER}")
    assert {one.is_mended for one in nights.checked(LATER)} == {True}
    assert nights.settle(LATER).counts["repeated"] == 1


def test_a_line_of_the_base_that_is_no_sample_stops_nobody(nights):
    """It is told where it stands, by the check; a night has nothing to do with it."""
    nights.settle(NIGHT)
    tree = nights.tree()
    shard = tree / f"data/general/2026-11/{NIGHT}.jsonl"
    shard.write_text(shard.read_text() + '{"id":"x","messages":[1]}\nnonsense\n')
    nights.push("odd")
    assert nights.settle(LATER).counts["repeated"] == 1
