"""check: decisions are what persons may say, in their own names."""

import orjson
import pytest

from corpus.bulk import BulkObjects
from corpus.check import check_change
from tests.corpus.check_project import ANN, BRANCH, CheckProject
from tests.corpus.desk_project import ANN as DESK_ANN
from tests.corpus.desk_project import BOB as DESK_BOB
from tests.corpus.desk_project import DeskProject
from tests.corpus.propose_project import NIGHT, git


def test_a_decision_under_anothers_name_is_found(project):
    """Nobody votes for others, and nobody takes their votes away."""
    assert project.codes(project.decided(project.decision(reviewer="r-000000000000"))) == {"not_your_decision"}
    mine = project.decided(project.decision(), sign=False)
    git(project.remote, "branch", "--force", BRANCH, mine)
    assert project.codes(project.decided(content=b"", email="bob@example.org")) == {"decision_removed"}
    changed = project.decision(verdict="reject", reason="no")
    found = project.codes(project.decided(changed, email="bob@example.org"))
    assert found == {"decision_removed", "not_your_decision"}
    assert project.check(project.decided(content=b"", sign=False)) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"made_by": "machine"}, "decision"),
        ({"is_honeypot": True}, "decision"),
        ({"reason": "mail jane.roe" + "@" + "example.com"}, "private"),
    ],
)
def test_a_decision_says_only_what_a_person_may(shared, fields, code):
    """Machines and honeypots are settle's to record, and reasons are published."""
    assert code in shared.codes(shared.decided(shared.decision(**fields)))


def test_a_damaged_decision_is_found(shared):
    """The judge learns from these lines."""
    line = shared.decision().line()
    unknown = line.replace(shared.decision().sample_id.encode(), b"0" * 32)
    assert shared.codes(shared.decided(content=unknown)) == {"unknown_sample"}
    for damaged, code in ((line[:-1], "no_line_end"), (line[5:], "not_json"), (line + line, "repeated_line")):
        assert code in shared.codes(shared.decided(content=damaged))
    assert shared.codes(shared.decided(content=line.replace(b'"keep"', b'"maybe"'))) == {"decision"}


def test_reviewers_who_merge_each_other_lose_nothing(project):
    """Two reviewers push at once; the merge of both holds both, and one that drops a side is found."""
    ann = project.decided(project.decision(0))
    bob_reviewer = _reviewer("bob@example.org")
    bob = project.decided(project.decision(1, reviewer=bob_reviewer), email="bob@example.org")
    both = project.decision(0).line() + project.decision(1, reviewer=bob_reviewer).line()
    for content, codes in ((b"".join(sorted(both.splitlines(keepends=True))), set()), (None, {"decision_removed"})):
        content = content if content is not None else project.decision(0).line()
        blob = project.object("blob", content)
        tree = _with_file(project, ann, f"decisions/{NIGHT}.jsonl", blob)
        named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        merge = project.run(*named, "commit-tree", tree, "-p", ann, "-p", bob, "-m", "merge")
        assert project.codes(merge) == codes


def _reviewer(email: str) -> str:
    from schemas.decision import reviewer_name

    return reviewer_name(f"mailto:{email}")


def _with_file(project: CheckProject, commit: str, path: str, blob: str) -> str:
    store = BulkObjects(project.remote)
    made = store.commit(commit, {path: blob}, "x", NIGHT)
    return project.run("rev-parse", f"{made}^{{tree}}")


def test_the_pseudonym_of_the_tests_is_the_products():
    """The fixtures would prove nothing with another one."""
    assert ANN.startswith("r-")


def test_what_reviewers_do_at_the_desk_passes(tmp_path):
    """Keep, reject, edit and take back, as `gristmill review` commits them; several reviewers, one after the other."""
    project = DeskProject(tmp_path)
    project.propose()
    base = git(project.remote, "rev-parse", "main")
    for reviewer in (DESK_ANN, DESK_BOB):
        desk = project.desk(reviewer)
        first, second, third, *_ = [one["id"] for one in map(orjson.loads, project.shard())]
        desk.decide(first, "reject", reason="is wrong")
        desk.decide(second, "keep")
        messages = next(one["messages"] for one in map(orjson.loads, project.shard()) if one["id"] == third)
        words = [*messages[:-1], {"role": "assistant", "content": f"{reviewer.name} says it better."}]
        desk.decide(third, "edit", messages=words)
        assert desk.save().commit
        tip = git(project.remote, "rev-parse", BRANCH)
        assert check_change(BulkObjects(project.remote), base, tip) == []
    project.close()
