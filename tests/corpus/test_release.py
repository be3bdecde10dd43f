"""A release, from the corpus to the tag: the same bytes everywhere, never changed, nothing lost on the way."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpus.clone import Clone, with_clone
from corpus.release import Released, release
from corpus.release_rows import ReleasedSample, read_release
from corpus.remote import remote_of
from corpus.repository import base_commit
from schemas.canonical import canonical_bytes
from schemas.errors import CorpusError, InputError
from schemas.release import SPLITS, Release, tag_problem
from schemas.sample import Tombstone
from schemas.settings import ReleaseSettings
from tests.corpus.release_corpus import CORPUS, HALF, begin, commit_files, merge, sample, words


def cut(root: Path, tag: str = "v1", settings: ReleaseSettings = HALF, **more: Any) -> Released:
    """Releases what is below `root`."""
    return release(tag, corpus=CORPUS, settings=settings, root=root, clone=root / "clone.git", **more)


def in_clone(root: Path, operation: Any, name: str = "reader.git") -> Any:
    """What an operation gives, in another clone than the one that made the release."""
    return with_clone(remote_of(CORPUS.remote, root), root / name, operation)


def rows(root: Path, tag: str) -> list[ReleasedSample]:
    """All samples of a release."""
    return in_clone(root, lambda store: list(read_release(store, store.fetch_tag(tag))))


def manifest(root: Path, tag: str) -> Release:
    """The manifest that the tag has."""
    return in_clone(root, lambda s: Release.from_content(s.file(s.fetch_tag(tag), f"releases/{tag}.json")))


def withdraw(store: Clone, sample_id: str) -> None:
    """Puts a tombstone on the base branch."""
    stone = Tombstone(sample_id, "its contributor asked", "2026-11-05T10:00:00Z").line()
    base = base_commit(store, CORPUS, store.heads())
    blobs = store.store([("tombstones.jsonl", [stone], len(stone))])
    store.push(store.commit(base, blobs, "retract\n", "2026-11-05"), CORPUS.branch, expected=base)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus with one night of 60 samples of two experts."""
    return filled(tmp_path / "one")


def filled(root: Path) -> Path:
    """The same corpus in any folder."""
    root.mkdir()
    begin(root)
    merge(root, "2026-11-04", [sample(n, expert="code" if n % 3 == 0 else "general") for n in range(60)])
    return root


def test_every_sample_is_in_one_split_in_order_of_expert_and_id(root: Path) -> None:
    """What exports are made of is the corpus, nothing added and nothing lost."""
    made = cut(root)
    found = rows(root, "v1")
    expected = {one["id"]: one for one in (sample(n, expert="code" if n % 3 == 0 else "general") for n in range(60))}
    assert {one.line["id"]: one.line for one in found} == expected
    assert [(one.expert, one.line["id"]) for one in found] == sorted((one.expert, one.line["id"]) for one in found)
    assert {split: made.counts[split].samples for split in SPLITS} == {
        split: sum(one.split == split for one in found) for split in SPLITS
    }
    assert all(made.counts[split].samples for split in SPLITS)


def test_two_machines_make_the_same_commit_and_tag(tmp_path: Path) -> None:
    """The date comes from the newest night, not from a clock, so anybody can prove a release."""
    one, other = (cut(filled(tmp_path / name)) for name in ("a", "b"))
    assert one == other
    tags = [in_clone(tmp_path / name, lambda store: store.tags()) for name in ("a", "b")]
    assert tags[0] == tags[1]
    assert one.released_on == "2026-11-04"


def test_the_manifest_has_the_digest_of_every_file_and_is_on_the_base_branch(root: Path) -> None:
    """Whoever has the manifest can tell whether a file is the one that was released."""
    made = cut(root)
    said = manifest(root, "v1")

    def look(store: Clone) -> tuple[set[str], bytes | None]:
        heads = store.heads()
        store.fetch(heads)
        return {entry.path for entry in store.entries(made.commit)}, store.file(heads["main"], "releases/v1.json")

    paths, on_base = in_clone(root, lambda store: (store.fetch_tag("v1"), look(store))[1])
    assert paths == {file.path for file in said.files} | {"releases/v1.json"}
    assert on_base == said.content()
    assert sum(file.samples or 0 for file in said.files) == sum(file.samples or 0 for file in said.sources) == 60
    assert not any(path.startswith("review/") for path in paths)
    assert said.judges[0]["samples"] == 60


def test_doing_it_again_changes_nothing_and_another_state_is_refused(root: Path) -> None:
    """A release never changes; people rest experiments on it."""
    first = cut(root)
    assert cut(root).state == "unchanged"
    assert cut(root).commit == first.commit
    with pytest.raises(CorpusError, match="other shares"):
        cut(root, settings=ReleaseSettings())
    with pytest.raises(CorpusError, match="another date"):
        cut(root, released_on="2026-12-01")
    merge(root, "2026-11-05", [sample(n, night="2026-11-05") for n in range(60, 80)])
    with pytest.raises(CorpusError, match="data of the corpus has changed"):
        cut(root)


def test_the_next_release_keeps_every_split_and_names_the_one_before(root: Path) -> None:
    """A sample of the sealed holdout never moves to training, nor the other way round."""
    cut(root)
    before = {one.line["id"]: one.split for one in rows(root, "v1")}
    near = [sample(1000 + n, night="2026-11-05", said=f"{words(n, 60)} {words(n, 2)}") for n in range(30)]
    merge(root, "2026-11-05", near)
    cut(root, "v2", settings=ReleaseSettings(validation_share=0.0, test_share=0.0))
    after = {one.line["id"]: one.split for one in rows(root, "v2")}
    assert {key: after[key] for key in before} == before
    for n in range(30):  # and what resembles a sample goes where it is
        own = sample(n, expert="code" if n % 3 == 0 else "general")["id"]
        assert after[near[n]["id"]] == before[own]
    assert manifest(root, "v2").previous == {
        "tag": "v1", "sha256": __import__("hashlib").sha256(manifest(root, "v1").content()).hexdigest()
    }  # fmt: skip


def test_a_contributor_a_conversation_and_a_chain_stay_together(tmp_path: Path) -> None:
    """The texts differ, but they are of one person, or one talk."""
    begin(tmp_path)
    subjects = [sample(n, subject=f"{n % 10:032x}") for n in range(40)]
    talks = [sample(100 + n, conversation_id=f"{n % 10:032x}") for n in range(40)]
    firsts = [sample(200 + n) for n in range(10)]
    chained = [sample(300 + n, extends=one["id"]) for n, one in enumerate(firsts)]
    merge(tmp_path, "2026-11-04", [*subjects, *talks, *firsts, *chained])
    cut(tmp_path, settings=ReleaseSettings(validation_share=0.5, test_share=0.5))
    split = {one.line["id"]: one.split for one in rows(tmp_path, "v1")}
    for group in [*(subjects[n::10] for n in range(10)), *(talks[n::10] for n in range(10))]:
        assert len({split[one["id"]] for one in group}) == 1
    assert all(split[a["id"]] == split[b["id"]] for a, b in zip(firsts, chained, strict=True))
    assert len(set(split.values())) > 1


def test_what_has_a_tombstone_is_left_out_and_counted(root: Path) -> None:
    """A line that a retraction did not reach must not be released."""
    gone = sample(1)["id"]
    stone = Tombstone(gone, "asked for", "2026-11-05T00:00:00Z")
    commit_files(root, "2026-11-05", {"tombstones.jsonl": stone.line()})
    made = cut(root)
    assert made.left_out == {"withdrawn": 1}
    assert gone not in {one.line["id"] for one in rows(root, "v1")}


def test_a_sample_that_stands_twice_is_released_once(root: Path) -> None:
    """Two nights that somebody merged by hand may both have it."""
    merge(root, "2026-11-05", [sample(1), sample(99)])
    made = cut(root)
    assert made.left_out == {"repeated": 1}
    assert len(rows(root, "v1")) == 61


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda line: line[:-9] + b"\n", "damaged line"),
        (lambda line: line.replace(b'"role":"user"', b'"role":"boss"'), "not roles and texts"),
        (lambda line: line.replace(b'"content":"', b'"content":"x', 1), "the text was changed"),
        (lambda line: b"[]\n", "no sample"),
        (lambda line: b"\n", "damaged line"),
        (lambda line: line.replace(b'"expert":"general"', b'"expert":"code"'), "another expert"),
    ],
)
def test_a_damaged_line_stops_the_release_with_its_place(tmp_path: Path, damage: Any, said: str) -> None:
    """Lines are anybody's text; what cannot be read must not be released, nor silently left out."""
    begin(tmp_path)
    lines = [canonical_bytes(sample(n)) + b"\n" for n in range(3)]
    lines[1] = damage(lines[1])
    commit_files(tmp_path, "2026-11-04", {"data/general/2026-11/2026-11-04.jsonl": b"".join(lines)})
    with pytest.raises(CorpusError, match=r"data/general/2026-11/2026-11-04\.jsonl, line 2") as failed:
        cut(tmp_path)
    assert said in str(failed.value)
    assert words(1, 60)[:20] not in str(failed.value)


def test_a_file_that_is_no_shard_stops_the_release(root: Path) -> None:
    """A loader would read it, and nobody has."""
    commit_files(root, "2026-11-05", {"data/general/notes.txt": b"hello"})
    with pytest.raises(CorpusError, match="is no shard"):
        cut(root)


@pytest.mark.parametrize(
    "tag", ["", "../x", "a/b", "-x", ".x", "x.lock", "a..b", "x.json", "verify", "ä", "a b", "x" * 101, "a~1", "HEAD^"]
)
def test_a_name_that_is_no_tag_is_refused(tmp_path: Path, tag: str) -> None:
    """It becomes a ref, a file name and an argument of git."""
    assert tag_problem(tag)
    with pytest.raises(InputError, match="cannot be a release"):
        cut(tmp_path, tag)


def test_an_empty_corpus_has_no_release(tmp_path: Path) -> None:
    """The message says what to do first."""
    begin(tmp_path)
    with pytest.raises(CorpusError, match="no sample to release"):
        cut(tmp_path)


def test_a_corpus_of_which_all_was_withdrawn_has_no_release(tmp_path: Path) -> None:
    """It has lines, and none of them may go out."""
    begin(tmp_path)
    one = sample(1)
    stone = Tombstone(one["id"], "its contributor asked", "2026-11-05T10:00:00Z")
    merge(tmp_path, "2026-11-04", [one], **{"tombstones.jsonl": stone.line()})
    with pytest.raises(CorpusError, match="no sample to release"):
        cut(tmp_path)


def test_a_release_that_was_killed_before_its_tag_is_completed(root: Path) -> None:
    """The manifest is on the base branch; the tag follows, even when nights were merged meanwhile."""
    made = cut(root)
    run_git(root, "update-ref", "-d", "refs/tags/v1")
    merge(root, "2026-11-05", [sample(n, night="2026-11-05") for n in range(60, 80)])
    again = cut(root)
    assert (again.state, again.commit) == ("released", made.commit)


def test_a_release_that_was_killed_is_not_completed_over_a_retraction(root: Path) -> None:
    """It would publish what left the corpus in between: it is made anew, without it."""
    cut(root)
    run_git(root, "update-ref", "-d", "refs/tags/v1")
    gone = sample(7)["id"]
    merge(root, "2026-11-05", [sample(n, night="2026-11-05") for n in range(60, 80)])
    in_clone(root, lambda store: withdraw(store, gone), "another_machine.git")
    assert cut(root).state == "released"
    assert gone not in {row.line["id"] for row in rows(root, "v1")} and len(rows(root, "v1")) == 79
    assert cut(root).state == "unchanged"
    assert cut(root, tag="v2").state in ("released", "unchanged")


def test_what_is_withdrawn_while_a_release_is_made_is_not_in_it(root: Path) -> None:
    """Nobody would be told that this release has it: retraction lists the tags that are there."""
    gone = sample(7)["id"]
    withdrawn: list[str] = []

    def read(n_bytes: int) -> None:  # noqa: ARG001 (called while shards are read)
        if not withdrawn:
            withdrawn.append(gone)
            in_clone(root, lambda store: withdraw(store, gone), "another_machine.git")

    made = cut(root, on_bytes=read)
    assert withdrawn and made.n_samples == 59 and made.left_out == {"withdrawn": 1}
    assert gone not in {row.line["id"] for row in rows(root, "v1")}


def test_a_tag_that_is_no_release_is_left_alone(root: Path) -> None:
    """People tag what they like."""
    run_git(root, "tag", "v1", "main")
    with pytest.raises(CorpusError, match="which is no release"):
        cut(root)


def test_names_from_the_data_do_nothing_in_the_card(tmp_path: Path) -> None:
    """A model's or a source's name is a stranger's text in YAML, Markdown, SVG and JSON."""
    begin(tmp_path)
    evil = '"]\n---\n| <script>alert(1)</script> ![x](http://evil.example/x.png)'
    merge(tmp_path, "2026-11-04", [sample(n, model=evil, language=evil, licence=evil, source=evil) for n in range(8)])
    made = cut(tmp_path)
    card = in_clone(tmp_path, lambda s: (s.fetch_tag("v1"), s.file(made.commit, "README.md"))[1]).decode()
    picture = in_clone(tmp_path, lambda s: s.file(made.commit, "pictures/languages.svg")).decode()
    assert card.count("\n---\n") == 1
    assert "<script" not in card + picture
    assert not re.search(r"!\[x\]\(", card)
    orjson.loads(in_clone(tmp_path, lambda s: s.file(made.commit, "croissant.json")))


def run_git(root: Path, *arguments: str) -> str:
    """Git in the remote."""
    return subprocess.run(
        ["git", "--git-dir", str(root / "corpus.git"), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
