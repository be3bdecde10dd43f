"""A corpus cloned with --filter=blob:none: people and the check work in one; as corpus.remote it is refused.

Over file:// and git's own server, which then answers as any other does.
"""

import subprocess
import time
from pathlib import Path

import pytest

from corpus.check import check_change
from corpus.checks.place import open_place
from corpus.desk import Desk
from corpus.desk_place import Place, Reviewer
from corpus.purge import purge
from corpus.settle import settle
from schemas.errors import CorpusError
from schemas.settings import CorpusSettings
from tests.corpus.propose_project import CLEAN, Project, git
from tests.corpus.reviewed_night import BRANCH, NIGHT, NOW, PAGE, Night


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A proposed night whose remote serves partial clones."""
    made = Night(tmp_path / "whole")
    git(made.project.remote, "config", "uploadpack.allowFilter", "true")
    return made


def partial(night: Night, place: Path, *options: str) -> Path:
    """A clone without files."""
    git(night.root, "clone", "-q", *options, "--filter=blob:none", f"file://{night.project.remote}", str(place))
    return place


def n_missing(tree: Path, *commits: str) -> int:
    """How many files of these commits a clone lacks."""
    asked = ["git", "rev-list", "--objects", "--missing=print", *(f"{one}^{{tree}}" for one in commits)]
    done = subprocess.run(asked, cwd=tree, env=CLEAN, capture_output=True, text=True, check=True)
    return sum(line.startswith("?") for line in done.stdout.splitlines())


def test_the_check_brings_what_it_needs_at_once(night: Night, tmp_path: Path) -> None:
    """Asked for one at a time, 300 files take nine seconds on one machine, and minutes from a forge."""
    tree = partial(night, tmp_path / "tree", "--no-checkout")
    commits = ("origin/main", f"origin/{BRANCH}")
    assert n_missing(tree, *commits) > 10
    with open_place(str(tree), *commits) as place:
        assert n_missing(tree, *commits) == 0
        assert check_change(place.store, place.base, place.head) == []


def test_a_check_that_cannot_get_the_files_says_what_the_clone_is(night: Night, tmp_path: Path) -> None:
    """Not that it is damaged: `git fsck` would find nothing."""
    tree = partial(night, tmp_path / "tree", "--no-checkout")
    night.project.remote.rename(tmp_path / "elsewhere.git")
    with pytest.raises(CorpusError, match="partial clone"), open_place(str(tree), "origin/main", f"origin/{BRANCH}"):
        pass


def test_a_reviewer_works_in_a_partial_clone(night: Night, tmp_path: Path) -> None:
    """Git brings what they open; what they push is whole."""
    tree = partial(night, tmp_path / "tree", "-b", BRANCH)
    page = tree / PAGE
    page.write_text(page.read_text().replace(f"- [x] keep `{night.ids[0]}`", f"- [ ] keep `{night.ids[0]}`"))
    git(tree, "commit", "-q", "-a", "-m", "review")
    git(tree, "push", "-q", "origin", "HEAD")
    assert night.settle().counts["rejected"] == 1


def test_a_partial_clone_as_the_remote_is_refused_by_every_command(night: Night, tmp_path: Path) -> None:
    """It cannot give what it lacks: told once, at once, with what to do, and nothing there or here is broken by it."""
    (tmp_path / "mine").mkdir()
    mine = Project(tmp_path / "mine")
    remote = partial(night, tmp_path / "mine" / "corpus.git", "--bare")
    before = git(remote, "for-each-ref")
    place = {"corpus": mine.corpus, **mine.place}
    ann = Reviewer("Ann", "ann@example.org")
    begun = time.monotonic()
    for act in (
        lambda: mine.propose(range(40, 44), "2026-11-06"),
        lambda: settle(NIGHT, now=NOW, **place),
        lambda: Desk(Place(**place), NIGHT, ann, folder=tmp_path / "review", clock=lambda: NOW),
        lambda: purge([night.ids[0]], [], at=NOW, **place),
    ):
        with pytest.raises(CorpusError, match=r"It is a partial clone.*clone it anew without --filter"):
            act()
    assert git(remote, "for-each-ref") == before and time.monotonic() - begun < 30
    whole = CorpusSettings(remote=f"file://{night.project.remote}")
    assert settle(NIGHT, now=NOW, corpus=whole, **mine.place).state == "settled"
