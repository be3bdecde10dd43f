"""A planted person is purged and looked for in every object, in every encoding; what others rest on stays true."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from corpus.bulk import BulkObjects
from corpus.mirror import AllObjects
from corpus.passages import Passages, chunks, letters
from corpus.purge import purge
from corpus.purge_card import REISSUED_NOTE
from corpus.purge_search import prove
from corpus.release import release
from corpus.retract import Withdrawal, retract
from corpus.verify import verify
from schemas.errors import CorpusError
from schemas.settings import ReleaseSettings
from tests.corpus import release_corpus
from tests.corpus.judged_rows import conversation
from tests.corpus.retract_project import ANSWER, ASKED, AT, LATER, NAME, NIGHT, Project, digest, git, other, planted

WORDS = (NAME, "Quillfeather", "Thistledown", "Biscuit", "onions", "surgery")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything that can hold a text: shard, pages, open night, tag, message, tag's message, another file."""
    root = tmp_path_factory.mktemp("planted")
    project, person_id = planted(root)
    project.tag("v1")
    tree = project.tree()
    (tree / "NOTES.md").write_text(f"# Notes\n\nWe liked this one:\n\n> {ASKED}\n\nand all the others.\n")
    (tree / f"decisions/{NIGHT}.jsonl").parent.mkdir()
    decision = {"sample_id": person_id, "verdict": "keep", "reviewer": "r-1", "decided_at": AT, "proposal": "#1"}
    (tree / f"decisions/{NIGHT}.jsonl").write_text(json.dumps({**decision, "reason": f"{NAME}: {ASKED}"}) + "\n")
    project.push(f"notes\n\n{ASKED}\n\nSigned-off-by: Ann <ann@example.org>")
    git(tree, "tag", "--annotate", "--message", f"a nice one\n\n{ANSWER}", "nice")
    git(tree, "push", "--quiet", "origin", "nice")
    record = orjson.loads((tree / f"nights/{NIGHT}.json").read_bytes())
    record["honeypots"] = {"n": 0, "base": git(tree, "rev-parse", "HEAD~3")}
    (tree / f"nights/{NIGHT}.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    project.push("a record that names a commit")
    return root, person_id


@pytest.fixture
def person(made, tmp_path) -> tuple[Project, str]:
    shutil.copytree(made[0], tmp_path / "project", symlinks=True)
    shutil.rmtree(tmp_path / "project" / "person")
    return Project(tmp_path / "project"), made[1]


@pytest.fixture(scope="module")
def purged(made, tmp_path_factory):
    """A corpus after its purge, which the tests only look at: project, what purge gave, and what was there before."""
    root = tmp_path_factory.mktemp("purged") / "project"
    shutil.copytree(made[0], root, symlinks=True)
    project = Project(root)
    project.retract(made[1])
    before = {
        "objects": everything(project.remote).lower(),
        "shape": git(project.remote, *SHAPE).splitlines(),
        "manifest": digest((project.tree("main") / "releases/v1.json").read_bytes()),
    }
    return project, run(project, made[1], backup=root / "old" / "corpus.bundle"), before


SHAPE = ("log", "--all", "--topo-order", "--format=%an %ae %at %ct")


def run(project: Project, person_id: str, **more):
    done = project.retract(person_id)
    return purge(done.ids, done.conversation_ids, corpus=project.corpus, at=AT, **project.place, **more)


def everything(repository: Path) -> bytes:
    """All objects of a repository and the names of its refs, decompressed."""
    command = "git cat-file --batch-all-objects --batch; git for-each-ref"
    return subprocess.run(command, shell=True, cwd=repository, capture_output=True, check=True).stdout


def encodings(word: str) -> set[bytes]:
    """A word in all the ways in which files hold one, but for case."""
    utf8 = word.lower().encode()
    found = {
        utf8,
        word.encode("latin-1").lower(),
        json.dumps(word).strip('"').lower().encode(),
        quote(word).lower().encode(),
    }
    found |= {word.lower().encode(code) for code in ("utf-16-le", "utf-16-be")}
    return found | {base64.b64encode(word.encode()).lower()[:-4], utf8.hex().encode()}


def test_no_object_holds_the_person_in_any_encoding(purged):
    """The promise of a purge, checked otherwise than by its own proof: by words, over all objects."""
    project, done, before = purged
    assert all(word.lower().encode() in before["objects"] for word in WORDS[1:]), "the search must be able to fail"
    after = everything(project.remote).lower()
    assert [word for word in WORDS for form in encodings(word) if form in after] == []
    assert done.is_remote_clean and done.n_objects > 40 and done.n_passages > 10
    assert set(done.refs) >= {"refs/heads/main", f"refs/heads/night/{LATER}", "refs/tags/v1", "refs/tags/nice"}
    assert not (project.var / "clone.git").exists() and not (project.var / "purge").exists()
    assert git(project.remote, "fsck", "--full", "--strict") == ""


def test_what_others_wrote_stays(purged):
    """Authors, dates, messages, files of others, the number of commits: a rewritten history is not another one."""
    project, _, before = purged
    after = git(project.remote, *SHAPE).splitlines()
    assert after[1:] == before["shape"], "all there were, and the one that notes the manifest"
    assert project.show("NOTES.md") == "# Notes\n\nWe liked this one:\n\n\nand all the others."
    message = git(project.remote, "log", "--format=%B", "--grep=notes", "main")
    assert message == "notes\n\n\nSigned-off-by: Ann <ann@example.org>"
    for number in range(4):
        assert other(number)[1] in project.show(f"data/general/2026-11/{NIGHT}.jsonl", "v1")
    decision = orjson.loads(project.show(f"decisions/{NIGHT}.jsonl"))
    assert (decision["verdict"], decision["reason"]) == ("keep", "")


def test_manifests_and_records_are_true_afterwards(purged):
    """Digests, counts and commit ids in files are corrected at the commit that has them; the old digest is noted."""
    project, done, before = purged
    assert done.reissued == ("v1",)
    content = project.show("releases/v1.json", "v1")
    manifest = orjson.loads(content)
    (facts,) = manifest["files"]
    shard = project.show(facts["path"], "v1") + "\n"
    assert (facts["sha256"], facts["samples"]) == (digest(shard.encode()), 4)
    assert manifest["commit"] == git(project.remote, "rev-parse", "v1^{commit}^")
    note = orjson.loads(project.show("releases/reissued.jsonl"))
    assert (note["tag"], note["old_manifest"], note["new_manifest"]) == (
        "v1",
        before["manifest"],
        digest(content.encode()),
    )
    record = orjson.loads(project.show(f"nights/{NIGHT}.json"))
    assert git(project.remote, "cat-file", "-t", record["honeypots"]["base"]) == "commit"
    proposed = orjson.loads(project.show(f"nights/{NIGHT}.json", f"night/{NIGHT}"))
    for path, facts in proposed["files"].items():
        assert digest((project.show(path, f"night/{NIGHT}") + "\n").encode()) == facts["sha256"]


def test_a_purge_that_was_refused_or_killed_is_completed(person, monkeypatch):
    """Before the push nothing has happened; after it only the old objects are left, and the same call removes them."""
    project, person_id = person
    hook = project.remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    project.retract(person_id)
    heads = project.heads()
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CorpusError, match="pushing the rewritten history"):
        run(project, person_id)
    assert project.heads() == heads
    hook.unlink()
    monkeypatch.setattr(AllObjects, "forget_unreachable", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(project, person_id)
    assert project.heads() != heads and b"quillfeather" in everything(project.remote).lower()
    monkeypatch.undo()
    heads = project.heads()
    again = run(project, person_id)
    assert (again.n_blobs_rewritten, again.refs, project.heads()) == (0, (), heads), "there is nothing left to rewrite"
    assert b"quillfeather" not in everything(project.remote).lower()


def test_somebody_who_pushed_meanwhile_is_not_overwritten(person, monkeypatch):
    """Each ref moves only from where it was; all or none."""
    project, person_id = person
    project.retract(person_id)
    tree = project.tree(f"night/{LATER}")
    real = BulkObjects.commit

    def push_first(*arguments, **named):
        (tree / "decisions").mkdir(exist_ok=True)
        (tree / f"decisions/{LATER}.jsonl").write_text("{}\n")
        project.push("decide", f"night/{LATER}")
        monkeypatch.undo()
        return real(*arguments, **named)

    monkeypatch.setattr(BulkObjects, "commit", push_first)
    main = git(project.remote, "rev-parse", "main")
    with pytest.raises(CorpusError, match="stale info|pushing the rewritten history"):
        run(project, person_id)
    assert git(project.remote, "rev-parse", "main") == main
    run(project, person_id)
    assert project.show(f"decisions/{LATER}.jsonl", f"night/{LATER}") == "{}"
    assert b"quillfeather" not in everything(project.remote).lower()


def test_names_and_files_of_other_kinds_are_cut_or_stop_it(person):
    """The name of a file and a JSON file that quote are mended; what is no text of ours stops it before the push."""
    project, person_id = person
    tree = project.tree()
    name = ASKED.split("\n")[0] + " " + ANSWER[:60]
    (tree / name).write_text("x")
    (tree / "odd.json").write_text(json.dumps({"kept": 1, "said": [ANSWER]}))
    project.push("files")
    git(tree, "commit", "--quiet", "--allow-empty", "--author", f"{name.replace('.', '')} <a@example.org>", "-m", "who")
    git(tree, "push", "--quiet", "origin", "main")
    project.retract(person_id)
    heads = project.heads()
    with pytest.raises(CorpusError, match=r"objects of mirror\.git still hold.*commit [0-9a-f]{40}"):
        run(project, person_id)
    assert project.heads() == heads
    git(project.remote, "update-ref", "refs/heads/main", "main~2")
    run(project, person_id)
    assert orjson.loads(project.show("odd.json")) == {"kept": 1, "said": ["(withdrawn)"]}
    assert "withdrawn/" in git(project.remote, "ls-tree", "-r", "--name-only", "main")


def test_other_samples_that_say_the_same_are_named_and_kept(tmp_path):
    """What others say, too, is theirs; a person is told whom to look at."""
    project = Project(tmp_path)
    quoting = conversation(*other(1), "By the way, I was once told: " + ANSWER[:110] + " Is it so?", "I hear so.")
    proposed = project.propose([conversation(ASKED, ANSWER), conversation(*other(2)), quoting])
    project.merge()
    by_text = {line["messages"][0]["content"]: sample_id for sample_id, line in proposed.items()}
    done = run(project, by_text[ASKED])
    assert done.sharing == (by_text[other(1)[0]],)
    assert "By the way" in project.show(f"data/general/2026-11/{NIGHT}.jsonl")
    assert b"quillfeather" not in everything(project.remote).lower()


def test_a_backup_is_kept_where_it_was_asked_for(purged, tmp_path):
    """A bundle holds the text: it is a person's decision."""
    git(tmp_path, "clone", "--quiet", "--bare", purged[1].backup, str(tmp_path / "restored"))
    assert b"quillfeather" in everything(tmp_path / "restored").lower()


def test_refs_of_the_forge_itself_are_named(person):
    """A forge keeps the heads of pull requests where nobody can push: they lead to the old history."""
    project, person_id = person
    git(project.remote, "update-ref", "refs/pull/1/head", "main")
    done = run(project, person_id)
    assert done.foreign_refs == ("refs/pull/1/head",) and not done.is_remote_clean


def test_the_proof_finds_what_nothing_refers_to(tmp_path):
    """An unreachable object can still be fetched from some forges."""
    git(tmp_path, "init", "--quiet", "--bare", "r.git")
    objects = AllObjects(tmp_path / "r.git")
    passages = Passages(chunks(ASKED))
    assert prove(objects, passages) == 0
    stored = objects.store([("x", [ASKED.encode()], len(ASKED.encode()))])
    with pytest.raises(CorpusError, match=f"blob {stored['x']}"):
        prove(objects, passages)
    objects.forget_unreachable()
    assert prove(objects, passages) == 0


def test_a_release_that_was_issued_again_can_be_verified(tmp_path):
    """Its manifest, its tag and its files say the same; who asks is told why it cannot be made again."""
    project, person_id = planted(tmp_path)
    shares = ReleaseSettings(validation_share=0.2, test_share=0.2)
    place = {"corpus": project.corpus, **project.place}
    made = release("v1", settings=shares, **place)
    project.merge(LATER)
    later = release("v2", settings=shares, **place)
    assert project.retract(person_id).releases == ("v1", "v2")
    done = run(project, person_id)
    assert done.reissued == ("v1", "v2")
    for tag, before in (("v1", made), ("v2", later)):
        found = verify(tag, **place)
        assert found.is_sound and "issued again" in found.remarks[0], found.problems
        assert found.n_samples == sum(count.samples for count in before.counts.values()) - (1 if tag == "v1" else 2)
        digest_said = git(project.remote, "for-each-ref", "--format=%(contents:body)", f"refs/tags/{tag}").split()[-1]
        assert digest_said == digest((project.show(f"releases/{tag}.json", tag) + "\n").encode())
    assert b"quillfeather" not in everything(project.remote).lower()


@pytest.fixture(scope="module")
def reissued(tmp_path_factory) -> tuple[Path, str, str]:
    """Two signed releases and a note, from which a sample was purged: the folder, its answer, another's id."""
    root = tmp_path_factory.mktemp("signed")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / "key"], check=True)
    settings = ReleaseSettings(validation_share=0.2, test_share=0.3, signing_key="key")
    release_corpus.begin(root)
    samples = [release_corpus.sample(n) for n in range(30)]
    release_corpus.merge(root, NIGHT, samples)
    place = {"corpus": release_corpus.CORPUS, "root": root, "clone": root / "clone.git"}
    release("v1", settings=settings, **place)
    release_corpus.merge(root, LATER, [release_corpus.sample(n, night=LATER) for n in range(30, 50)])
    release("v2", settings=settings, **place)
    gone, answer = samples[3]["id"], samples[3]["messages"][1]["content"]
    for name, text in (("quote", f"I liked: {answer}"), ("plain", "seen by Ann")):
        git(root / "corpus.git", "notes", f"--ref={name}", "add", "--message", text, "main")
    retract(Withdrawal("asked", AT, gone), **place)
    purge([gone], [], at=AT, **place)
    return root, answer, gone


def test_releases_that_were_signed_are_issued_again_and_prove_themselves(reissued):
    """What was signed is another thing now, so the signatures go, also from the manifest of the release after it."""
    root, answer, _ = reissued
    assert letters(answer.encode()) not in letters(everything(root / "corpus.git"))
    for tag in ("v1", "v2"):
        found = verify(tag, corpus=release_corpus.CORPUS, root=root, clone=root / "clone.git")
        assert found.problems == () and "the tag is not signed" in found.remarks
        assert "SIGNATURE" not in git(root / "corpus.git", "cat-file", "tag", tag)


def test_the_card_of_a_reissued_release_has_the_sizes_of_its_files(reissued):
    """`datasets` refuses to load a folder whose card promises more samples than there are."""
    root, _, _ = reissued
    for tag in ("v1", "v2"):
        card = git(root / "corpus.git", "show", f"{tag}:README.md")
        manifest = orjson.loads(git(root / "corpus.git", "show", f"{tag}:releases/{tag}.json"))
        default = card.split('- config_name: "default"')[2].split("- config_name")[0]
        said = re.findall(r"- name: (\w+)\n    num_bytes: (\d+)\n    num_examples: (\d+)", default)
        counts = {split: (one["bytes"], one["samples"]) for split, one in manifest["counts"].items()}
        assert {split: (int(size), int(n)) for split, size, n in said} == counts
        assert sum(n for _, n in counts.values()) == {"v1": 29, "v2": 49}[tag]
        assert card.count(REISSUED_NOTE) == 1


def test_notes_follow_the_rewritten_commits_without_what_they_quote(reissued):
    """git-filter-repo leaves notes behind, on commits that are gone."""
    remote = reissued[0] / "corpus.git"
    assert git(remote, "notes", "--ref=quote", "list") == ""
    (note,) = git(remote, "notes", "--ref=plain", "list").splitlines()
    assert git(remote, "cat-file", "-t", note.split()[1]) == "commit"
    assert git(remote, "log", "-1", "--format=%s", note.split()[1]).startswith("release: the manifest of v2")
