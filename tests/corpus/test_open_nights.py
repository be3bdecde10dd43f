"""Which nights wait, and which of them a schedule may settle by itself."""

from corpus.open_nights import open_nights
from corpus.review import DONE
from tests.corpus.propose_project import NIGHT
from tests.corpus.reviewed_night import BRANCH, Night


def states(night: Night) -> dict[str, tuple[str, bool]]:
    found = open_nights(night.project.corpus, **night.project.place)
    return {one.night: (one.state, one.is_ready) for one in found}


def test_a_night_goes_from_unread_to_done_to_settled_and_back_when_people_go_on(tmp_path):
    """A schedule merges nothing that nobody read, and nothing that people are still at."""
    night = Night(tmp_path)
    assert states(night) == {NIGHT: ("unread", False)}
    ann = night.person("ann").untick(night.ids[0]).done()
    assert states(night) == {NIGHT: ("reviewed", False)}
    ann.commit(DONE).push()
    assert states(night) == {NIGHT: ("done", True)}
    night.settle()
    assert states(night) == {}
    ann.untick(night.ids[1]).done()
    assert states(night) == {NIGHT: ("late", True)}
    night.settle()
    assert states(night) == {}


def test_a_night_that_somebody_merged_waits_to_be_put_in_order(tmp_path):
    """Also where its branch is gone."""
    night = Night(tmp_path)
    night.merge()
    assert states(night) == {NIGHT: ("merged", True)}
    night.project.work_tree("main")
    night.person("ann", "main").git("push", "-q", "origin", f":{BRANCH}")
    assert states(night) == {NIGHT: ("merged", True)}
    night.settle()
    assert states(night) == {}


def test_other_branches_are_no_nights(tmp_path):
    """People name branches as they like."""
    night = Night(tmp_path)
    night.person("ann").push("night/draft").push("feature")
    assert set(states(night)) == {NIGHT}
