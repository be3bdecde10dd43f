"""check: what our own tools make passes, and whatever else is in a shard is found."""

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
from tests.corpus.check_project import BRANCH, SHARD, CheckProject, edited
from tests.corpus.propose_project import NIGHT, git


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


def test_a_night_made_of_a_contribution_passes(project):
    """The contribution stays in its file when the night proposes what it says; that is no duplicate."""
    messages = orjson.loads(project.lines()[0])["messages"]
    line = orjson.dumps({"messages": messages, "licence": "CC0-1.0", "consent": "mine"}) + b"\n"
    merged = project.contributed(line)
    assert project.check(project.own, merged) == []
