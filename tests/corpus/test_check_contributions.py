"""check on what strangers bring: a file of conversations, without a verdict, in a pull request of its own."""

import orjson
import pytest

from tests.corpus.check_project import CheckProject, talk
from tests.corpus.judged_rows import conversation, row
from tests.corpus.propose_project import NIGHT

LONG = "The river rose in spring and the mill stood still until the miller cleared the race of ice and branches"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> CheckProject:
    """A corpus with one merged night, in which one sample is long."""
    project = CheckProject(tmp_path_factory.mktemp("contributions"))
    project.proposed(range(4))
    project.merge()
    project.base = project.head("main")
    return project


def test_a_sound_contribution_passes(project):
    """Two lines and a sign-off are all that a stranger needs, and the form that CONTRIBUTING.md shows is one."""
    content = talk("What is grist?", "Corn for grinding.") + talk("And chaff?", "What is left.", language="en")
    assert project.check(project.contributed(content), is_from_fork=True) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (talk("What is grist?", "Corn.", licence="proprietary"), "licence"),
        (talk("What is grist?", "Corn.", consent=" "), "consent"),
        (talk("What is grist?"), "turns"),
        (talk(), "shape"),
        (talk("What is grist?", "Corn.", verdict={"rating": 10}), "shape"),
        (talk("What is grist?", " "), "text"),
        (talk("What is grist?", "Corn.", id="0" * 32), "shape"),
        (b'{"messages":[],"messages":[]}\n', "duplicate_key"),
        (talk("What is grist?", "Corn.") * 2, "exact_duplicate"),
        (talk("What is 1 plus 1?", "It is 2."), "exact_duplicate"),
        (talk(f"{LONG}.", "So it was.") + talk(f"{LONG}!", "So it was not."), "near_duplicate"),
        (talk("Who is it?", "Ask jane.roe" + "@" + "example.com"), "private"),
        (talk("Who is it?", "Nobody.", model="/home/" + "janeroe/models/x.gguf"), "private"),
        (orjson.dumps(["no", "object"]) + b"\n", "not_json"),
        (talk("What is grist?", "Corn.").replace(b"\n", b"\r\n"), "line_ends"),
        (talk("a" * 2**20, "b"), "too_large"),
    ],
)
def test_each_fault_of_a_contribution_has_its_code(project, content, code):
    """A stranger cannot ask anybody; the code and the line must do."""
    found = project.check(project.contributed(content), is_from_fork=True)
    assert code in {one.code for one in found}
    assert not any("jane" in one.message + one.path for one in found)


@pytest.mark.parametrize(
    "path",
    [
        "contributions/2026-11/Ann.jsonl",
        "contributions/2026-13/ann.jsonl",
        "contributions/ann.jsonl",
        "contributions/2026-11/ann.json",
        "contributions/2026-11/sub/ann.jsonl",
    ],
)
def test_contributions_have_one_place(project, path):
    """What stands elsewhere no night would pull."""
    assert "not_allowed" in project.codes(project.contributed(talk("What is grist?", "Corn."), path))


@pytest.mark.parametrize("name", ["aux", "nul", "com1", "lpt9"])
def test_no_name_is_one_that_windows_cannot_write(project, name):
    """One such file, and nobody there can check the corpus out any more."""
    content = talk("What is grist?", "Corn for grinding.")
    assert project.codes(project.contributed(content, f"contributions/2026-11/{name}.jsonl")) == {"bad_name"}


def test_a_stranger_cannot_fill_data(project):
    """Nothing reaches data/ that was not rated and reviewed, whoever signs it as Gristmill."""
    line = b"\n".join(project.lines(project.own)[:1]) + b"\n"
    path = "data/general/2026-12/2026-12-01.jsonl"
    tip = project.contributed(line, path, name="Gristmill", email="gristmill@localhost")
    assert project.codes(tip, is_from_fork=True) >= {"forged", "night", "exact_duplicate"}
    path = f"data/general/{NIGHT[:7]}/contrib-ann.jsonl"
    assert "not_allowed" in project.codes(project.contributed(line, path), is_from_fork=True)


def test_a_contribution_is_signed_off_by_its_author(project):
    """Who brings text says that they may; another's word for it is none."""
    content = talk("What is grist?", "Corn for grinding.")
    assert project.codes(project.contributed(content, sign=False)) == {"sign_off"}
    found = project.check(project.contributed(content, email="bob@example.org"))
    assert [(one.code, "somebody else" in one.message) for one in found] == [("sign_off", True)]


def test_a_merged_contribution_is_left_alone(project):
    """Nobody changes another's words by pull request."""
    merged = project.contributed(talk("What is grist?", "Corn for grinding."))
    tree = project.on("change")
    (tree / "contributions/2026-11/ann-1.jsonl").write_bytes(talk("What is grist?", "Nothing."))
    assert project.codes(project.commit(tree), merged) == {"not_allowed"}
    again = project.contributed(talk("What is grist?", "Corn for grinding."), "contributions/2026-11/bob.jsonl")
    assert project.codes(again, merged) == {"exact_duplicate"}


def test_what_was_withdrawn_never_returns(project):
    """Neither the id nor the text under another id: a tombstone is for good."""
    stone = {"sample_id": orjson.loads(project.lines(project.own)[0])["id"], "reason": "asked", "withdrawn_at": ""}
    stone["withdrawn_at"] = "2026-11-06T00:00:00Z"
    tree = project.on("main")
    (tree / "tombstones.jsonl").write_bytes(orjson.dumps(stone, option=orjson.OPT_SORT_KEYS) + b"\n")
    base = project.commit(tree)
    messages = orjson.loads(project.lines(project.own)[0])["messages"]
    content = orjson.dumps({"messages": messages, "licence": "CC0-1.0", "consent": "mine"}) + b"\n"
    tree = project.on("change")
    (tree / "contributions/2026-11").mkdir(parents=True)
    (tree / "contributions/2026-11/ann-1.jsonl").write_bytes(content)
    assert "withdrawn" in project.codes(project.commit(tree), base)


def test_near_duplicates_of_the_corpus_are_found(tmp_path):
    """Verified by the true similarity; the corpus's own threshold counts, as corpus.toml says it."""
    project = CheckProject(tmp_path)
    words = [f"word{n}" for n in range(200)]
    talk_row = row(conversation(" ".join(words), "An answer of some words.", native_id="long"))
    samples = project.samples([])
    from corpus.propose import propose
    from corpus.validate import build_samples
    from tests.corpus.judged_rows import write_selected

    build_samples(write_selected(tmp_path / "in.parquet", [talk_row]), samples, night=NIGHT, publish_subjects=False)
    propose(samples, corpus=project.corpus, night=NIGHT, record={"steps": []}, **project.place)
    project.merge()
    project.base = project.head("main")
    near = talk(" ".join([*words[:-4], "other", "ending", "of", "it"]), "An answer of some words.")
    far = talk(" ".join(words[:60]), "Something else.")
    found = project.check(project.contributed(near + far))
    assert [(one.code, one.line) for one in found] == [("near_duplicate", 1)]
    assert project.check(project.contributed(near + far), jaccard_min=0.99) == []
