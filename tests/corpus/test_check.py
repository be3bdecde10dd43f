"""check: what our own tools make passes, and whatever else is in a pull request of a night is found."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.bulk import BulkObjects
from corpus.check import REMEDIES, check_change
from corpus.checks.text_file import read_text_file
from corpus.edits import edited_line
from corpus.objects import Author
from tests.corpus.check_project import ANN, SHARD, CheckProject
from tests.corpus.desk_project import ANN as DESK_ANN
from tests.corpus.desk_project import BOB as DESK_BOB
from tests.corpus.desk_project import DeskProject
from tests.corpus.test_propose import NIGHT, git

BRANCH = f"night/{NIGHT}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> CheckProject:
    """A proposed night that tests only add commits beside."""
    project = CheckProject(tmp_path_factory.mktemp("shared"))
    project.proposed()
    return project


@pytest.fixture
def project(tmp_path) -> CheckProject:
    project = CheckProject(tmp_path)
    project.proposed()
    return project


def test_what_propose_makes_passes(shared):
    """A check that finds fault with our own nights would be switched off."""
    assert shared.check(shared.own) == []


@settings(max_examples=3, deadline=None)
@given(st.sets(st.integers(0, 300), min_size=1, max_size=12), st.sampled_from(["general", "code", "a-1"]))
def test_any_night_of_ours_passes(tmp_path_factory, numbers, expert):
    """The law behind it: propose and check speak of the same thing."""
    project = CheckProject(tmp_path_factory.mktemp("night"))
    project.proposed(sorted(numbers), expert=expert)
    assert project.check(project.own) == []


def test_what_reviewers_do_by_our_rules_passes(project):
    """Boxes, deleted lines, decisions and edits are what a review is made of; nothing to sign off but the edit."""
    tree = project.on(BRANCH)
    page = tree / "review" / NIGHT / "01.md"
    page.write_text(page.read_text().replace("- [x] keep", "- [ ] keep", 1))
    assert project.check(project.commit(tree, sign=False)) == []
    assert project.check(project.changed_shard(lambda content: content.split(b"\n", 1)[1], sign=False)) == []
    assert project.check(project.decided(project.decision(), sign=False)) == []
    assert project.check(project.changed_shard(edited)) == []
    assert project.codes(project.changed_shard(edited, sign=False)) == {"sign_off"}


def edited(content: bytes) -> bytes:
    """The shard with its first sample edited as the desk does it."""
    first, *others = content.splitlines(keepends=True)
    messages = orjson.loads(first)["messages"]
    messages[-1]["content"] = "Two words were better."
    return b"".join(sorted([edited_line(first, messages)[1], *others], key=lambda line: orjson.loads(line)["id"]))


def test_an_edit_of_an_edit_passes(project):
    """Its original stands in an earlier commit of the branch."""
    tree = project.on(BRANCH)
    for answer in ("It is less.", "It is more."):
        lines = [orjson.loads(line) for line in (tree / SHARD).read_bytes().splitlines()]
        chosen = next((n for n, one in enumerate(lines) if one["messages"][-1]["content"] == "It is less."), 0)
        raw = (tree / SHARD).read_bytes().splitlines(keepends=True)
        messages = [*lines[chosen]["messages"][:-1], {"role": "assistant", "content": answer}]
        raw[chosen] = edited_line(raw[chosen], messages)[1]
        (tree / SHARD).write_bytes(b"".join(sorted(raw, key=lambda line: orjson.loads(line)["id"])))
        tip = project.commit(tree)
    assert project.check(tip) == []


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_shard_is_found(shared, data):
    """The id covers the messages alone; verdict, provenance and alternatives are compared with what was proposed."""
    store = BulkObjects(shared.remote)
    content = store.file(shared.own, SHARD)
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    changed = content[:at] + bytes([byte]) + content[at + 1 :]
    blobs = store.store([(SHARD, [changed], len(changed))])
    author = Author("Ann", "ann@example.org", "2026-11-05T09:00:00Z")
    message = "edit\n\nSigned-off-by: Ann <ann@example.org>\n"
    tip = store.commit(shared.own, blobs, message, NIGHT, author=author)
    found = check_change(store, shared.base, tip)
    # A line feed that is lost or gained inside a line only joins or cuts lines, which are found as such.
    assert found, (at, byte)
    assert all(one.path == SHARD for one in found)


def test_an_edit_by_hand_is_told_with_its_new_id(project):
    """Who edits the text on a forge's page cannot compute a digest; settle writes it, so it is a warning."""
    tip = project.changed_shard(lambda content: content.replace(b"It is ", b"It equals ", 1))
    found = project.check(tip)
    assert {one.code for one in found} == {"edited_by_hand"}
    assert all(one.is_mended for one in found)
    assert "becomes" in found[0].message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace(b'"rating":', b'"rating": ', 1), "not_canonical"),
        (lambda text: text.replace(b'"licence":"CC0-1.0"', b'"licence":"WTFPL"', 1), "licence"),
        (lambda text: text.replace(b'"consent":"form"', b'"consent":""', 1), "consent"),
        (lambda text: text.replace(b'"expert":"general"', b'"expert":"code"', 1), "expert"),
        (lambda text: text.replace(b'"night":"2026-11-04"', b'"night":"2026-11-05"', 1), "night"),
        (lambda text: text.replace(b'"rating":5.0', b'"rating":10.0', 1), "line_changed"),
        (lambda text: text.replace(b'"rating":5.0', b'"rating":99.0', 1), "verdict"),
        (lambda text: text.replace(b'"rating":5.0', b'"rating":5', 1), "not_canonical"),
        (lambda text: text.replace(b'"role":"assistant"', b'"role":"user"', 1), "turns"),
        (lambda text: text.replace(b"It is ", b"\\u0000", 1), "text"),
        (lambda text: text.replace(b"It is ", b"\\ud83d", 1), "lone_surrogate"),
        (lambda text: text.replace(b'"format":1', b'"format":1,"format":1', 1), "duplicate_key"),
        (lambda text: text.replace(b'"format":1', b'"forma":1', 1), "shape"),
        (lambda text: text.replace(b"\n", b"\r\n"), "line_ends"),
        (lambda text: b"\xef\xbb\xbf" + text, "byte_order_mark"),
        (lambda text: text.replace(b"It is ", b"It \xff ", 1), "not_utf8"),
        (lambda text: text.replace(b"It is ", b"It \x00 ", 1), "not_json"),
        (lambda text: text[:-1], "no_line_end"),
        (lambda text: text.replace(b"\n", b"\n\n", 1), "empty_line"),
        (lambda text: b"".join(reversed(text.splitlines(keepends=True))), "unsorted"),
        (lambda text: text.splitlines(keepends=True)[0] + text, "repeated_line"),
        (lambda text: text + b"[1]\n", "not_json"),
        (lambda text: text + b"[" * 5_000 + b"\n", "not_json"),
    ],
)
def test_each_fault_of_a_shard_has_its_code(shared, change, code):
    """People mend what they understand: the code names the fault, the line says where."""
    content = BulkObjects(shared.remote).file(shared.own, SHARD)
    assert change(content) != content
    assert code in shared.codes(shared.changed_shard(change))


def test_nothing_new_can_be_slipped_into_a_night(project):
    """A night holds what the judge rated; a line from elsewhere never met it."""
    other = orjson.loads(project.lines()[0])
    stranger = {**other, "provenance": {**other["provenance"], "conversation_id": "f" * 32}}
    line = orjson.dumps(stranger, option=orjson.OPT_SORT_KEYS)
    tip = project.changed_shard(lambda text: line + b"\n" + text.split(b"\n", 1)[1])
    assert project.codes(tip) == {"line_added"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("README.md", "not_allowed"),
        ("LICENSE", "not_allowed"),
        ("corpus.toml", "not_allowed"),
        ("tombstones.jsonl", "not_allowed"),
        ("releases/v1.json", "not_allowed"),
        (".github/workflows/validate.yml", "not_allowed"),
        (".gitattributes", "not_allowed"),
        (".gitmodules", "not_allowed"),
        ("hooks/post-checkout", "not_allowed"),
        ("data/general/2026-11/2026-11-05.jsonl", "several_nights"),
        ("data/general/2026-12/2026-11-04.jsonl", "not_allowed"),
        ("data/GENERAL/2026-11/2026-11-04.jsonl", "names_alike"),
        ("decisions/2026-11-03.jsonl", "several_nights"),
        (f"review/{NIGHT}/99.md", "reading_copy_changed"),
        (f"review/{NIGHT}/index.md", "reading_copy_changed"),
        (f"nights/{NIGHT}.json", "record_changed"),
        ("contributions/2026-11/ann-1.jsonl", "not_allowed"),
        ("data/general/2026-11/ｅvil.jsonl", "bad_name"),
        ("data/general/2026-11/a\nb.jsonl", "bad_name"),
        ("x" * 201, "bad_name"),
    ],
)
def test_a_review_changes_nothing_beside_its_night(shared, path, code):
    """Whatever is not the night's is refused, with the file's name."""
    tree = shared.on(BRANCH)
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((file.read_bytes() if file.exists() else b"") + b"more\n")
    found = shared.check(shared.commit(tree))
    assert code in {one.code for one in found}
    assert all(one.path.isprintable() for one in found)


def test_maintainers_change_what_they_must(shared):
    """The card and the workflows are somebody's work, too; files that no tool can read are still refused."""
    tree = shared.on("main")
    (tree / "README.md").write_text("new\n")
    (tree / "link").symlink_to("README.md")
    assert shared.codes(shared.commit(tree), maintainer_base(shared), is_maintainer=True) == {"not_a_file"}


def maintainer_base(project: CheckProject) -> str:
    return git(project.remote, "rev-parse", "main")


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


def test_every_code_has_a_remedy_and_the_same_change_the_same_answer(shared):
    """Messages end with what to do; the order never depends on anything but the change."""
    tip = shared.changed_shard(lambda text: text.replace(b"It is", b"It\x00is"))
    first, second = (shared.check(tip) for _ in range(2))
    assert first == second
    assert all(REMEDIES[one.code] in one.message for one in first)


def test_the_check_can_run_beside_itself(shared):
    """Two settles and a CI run may look at one clone at once: it is only read."""
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(shared.check, [shared.own, shared.own])) == [[], []]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd_to_read(content):
    """Whatever a file holds, reading it ends in lines and problems."""
    read = read_text_file("x.jsonl", content, is_canonical=True, line_bytes_max=100)
    n_lines = content.count(b"\n") + bool(content and not content.endswith(b"\n"))
    assert {one.line for one in read.problems} <= set(range(1, n_lines + 2))


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


def test_a_night_made_of_a_contribution_passes(project):
    """The contribution stays in its file when the night proposes what it says; that is no duplicate."""
    messages = orjson.loads(project.lines()[0])["messages"]
    line = orjson.dumps({"messages": messages, "licence": "CC0-1.0", "consent": "mine"}) + b"\n"
    merged = project.contributed(line)
    assert project.check(project.own, merged) == []
