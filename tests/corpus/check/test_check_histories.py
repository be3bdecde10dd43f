"""check: whose commits they are, what their history holds, and where it begins."""

from tests.corpus.check_project import BRANCH, SHARD, edited
from tests.corpus.propose_project import NIGHT, git


def test_other_nights_are_left_alone(project):
    """What is merged is history; it shrinks by retraction alone."""
    project.merge()
    base = project.head("main")
    tree = project.on("main")
    (tree / SHARD).write_bytes(b"".join((tree / SHARD).read_bytes().splitlines(keepends=True)[1:]))
    assert project.codes(project.commit(tree), base) >= {"other_night"}
    project.propose(range(20, 24), night="2026-11-05")
    tree = project.on("night/2026-11-05")
    (tree / SHARD).unlink()
    assert project.codes(project.commit(tree), base) == {"other_night"}


def test_what_comes_after_the_merge_is_told(project):
    """A branch that was merged halfway: what people push later must not seem to be taken."""
    project.merge()
    base = project.head("main")
    assert project.check(project.own, base) == []
    tip = project.decided(project.decision())
    assert "night_merged" in project.codes(tip, base) | project.codes(tip, base, night=None)


def test_a_review_by_pull_request_against_the_nights_branch_passes(project):
    """Who cannot push to the repository reviews so; the base is the night's own branch."""
    tip = project.decided(project.decision())
    assert project.check(tip, project.own, night=NIGHT, is_from_fork=True) == []
    tip = project.changed_shard(edited)
    assert project.check(tip, project.own, night=NIGHT, is_from_fork=True) == []
    tip = project.changed_shard(lambda text: text.replace(b'"rating":5.0', b'"rating":9.0', 1))
    assert project.codes(tip, project.own, night=NIGHT) == {"line_changed"}


def test_what_was_private_in_the_history_is_found(project):
    """A merge publishes every version: taking it out in the last commit hides nothing."""
    secret = "jane.roe" + "@" + "example.com"
    tree = project.on(BRANCH)
    file = tree / SHARD
    clean = file.read_bytes()
    file.write_bytes(clean.replace(b"It is ", f"Write {secret}: ".encode(), 1))
    project.commit(tree)
    file.write_bytes(clean)
    found = project.check(project.commit(tree))
    assert {one.code for one in found} == {"private"}
    assert "in commit" in found[0].message
    assert not any(secret in one.message + one.path for one in found)


def test_gristmills_name_proves_nothing(project):
    """Anybody can write that author; what counts is that the record's digests fit, and that a writer pushed it."""
    tree = project.on("main")
    folder = tree / f"data/general/{NIGHT[:7]}"
    folder.mkdir(parents=True)
    (folder / f"{NIGHT}.jsonl").write_bytes(b"\n".join(project.lines()) + b"\n")
    base = project.head("main")
    tip = project.commit(tree, email="gristmill@localhost", name="Gristmill", sign=False)
    assert project.codes(tip, base) >= {"forged"}
    assert project.codes(project.own, is_from_fork=True) >= {"forged"}
    tip = project.changed_shard(lambda text: text, email="gristmill@localhost", name="Gristmill")
    assert project.codes(tip) == {"forged"}


def test_a_night_that_was_squashed_is_told(project):
    """Gristmill finds its own nights by its name; under another's the night is nobody's."""
    tree = project.on(BRANCH)
    git(tree, "commit", "--quiet", "--amend", "--author", "Ann <ann@example.org>", "-m", "squashed")
    assert "rewritten" in project.codes(project.brought(tree))


def test_a_history_of_its_own_is_told(project):
    """Without a common commit there is no change to speak of, only two corpora."""
    tree = project.on("main")
    git(tree, "checkout", "--quiet", "--orphan", "other")
    tip = project.commit(tree)
    assert project.codes(tip) == {"unrelated_history"}
    git(tree, "checkout", "--quiet", "main")
    git(tree, "merge", "--quiet", "--allow-unrelated-histories", "-s", "ours", "-m", "both", "other")
    assert project.codes(project.brought(tree)) == {"unrelated_history"}


def test_a_base_that_moved_is_no_fault(project):
    """Nights are merged one after the other; the older branch still holds what it held."""
    project.propose(range(30, 33), night="2026-11-05")
    project.merge("2026-11-05")
    assert project.check(project.own, project.head("main")) == []
    tree = project.on(BRANCH)
    git(tree, "merge", "--quiet", "-m", "catch up", "origin/main")
    assert project.check(project.brought(tree), project.head("main")) == []


def test_what_is_merged_already_is_nothing(project):
    """A second check after the merge has nothing to look at."""
    project.merge()
    assert project.check(project.own, project.head("main")) == []
