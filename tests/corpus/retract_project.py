"""A small corpus with a person planted in it, for tests of retraction: real git, a bare remote, two nights."""

import os
import subprocess
from pathlib import Path

import orjson

from corpus.propose import propose
from corpus.retract import Withdrawal, retract
from corpus.stage import read_rows
from corpus.validate import build_samples
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import conversation, message, row, write_selected

NIGHT, LATER = "2026-11-04", "2026-11-05"
AT = "2026-11-06T09:30:00Z"
NAME = "Zora Quillfeather-Ødegård"
ASKED = f'My name is {NAME}.\nI live at 7 Thistledown Lane & my "dog" is <Biscuit>; what does *he* eat?'
ANSWER = (
    "Dogs eat meat, rice and carrots; `no onions`, as they harm their blood, and no grapes either.\n"
    "Ask a vet about Biscuit's weight first: 1) weigh him, 2) note it, 3) call the surgery in Thistledown Lane."
)
CLEAN = {**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    """Plain git, as a person would type it."""
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *named, *arguments], cwd=folder, env=CLEAN, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def other(number: int) -> list[str]:
    """What nobody withdraws."""
    return [
        f"How far is town number {number} from the sea, and by which road does one get there on foot?",
        f"From town {number} it is {number * 3 + 2} miles along the old mill road, past the chapel and the quarry.",
    ]


def person_talk(*more: str):
    beside = message("beside", "0", "assistant", f"I would rather not say what dogs eat, dear {NAME} of the lane.")
    return conversation(ASKED, ANSWER, *more, native_id="person", siblings=(beside,))


class Project:
    """A folder with a bare remote, a private clone, and nights."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.corpus = CorpusSettings(remote="corpus.git")
        self.place = {"root": root, "clone": root / "var" / "clone.git"}
        self.remote = root / "corpus.git"
        self.var = root / "var"

    def propose(self, talks, night=NIGHT, extends=None, subjects=None):
        """`extends` is of the first, `subjects` of all."""
        rows = [row(talk, number=n, rating=5.0 + n % 5) for n, talk in enumerate(talks)]
        rows[0]["extends"] = extends
        for one, subject in zip(rows, subjects or (), strict=bool(subjects)):
            one["subject"] = subject
        folder = self.var / "nights" / night
        folder.mkdir(parents=True, exist_ok=True)
        write_selected(folder / "selected.parquet", rows)
        samples = folder / "samples.parquet"
        build_samples(folder / "selected.parquet", samples, night=night, publish_subjects=True)
        record = {"settings_digest": "0" * 64, "steps": []}
        result = propose(samples, corpus=self.corpus, night=night, record=record, **self.place)
        assert result.state == "proposed"
        return {r["id"]: orjson.loads(r["line"]) for r in read_rows(samples)}

    def tree(self, branch="main") -> Path:
        """A person's own clone with a branch checked out."""
        tree = self.root / "person"
        if not tree.exists():
            git(self.root, "clone", "--quiet", str(self.remote), str(tree))
        git(tree, "fetch", "--quiet", "--prune", "--tags", "--force")
        git(tree, "checkout", "--quiet", "--force", "-B", branch, f"origin/{branch}")
        return tree

    def push(self, message: str, branch="main") -> str:
        tree = self.root / "person"
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "--message", message)
        git(tree, "push", "--quiet", "origin", branch)
        return git(tree, "rev-parse", "HEAD")

    def merge(self, night=NIGHT) -> None:
        tree = self.tree()
        git(tree, "merge", "--quiet", "--no-edit", "--no-ff", f"origin/night/{night}")
        git(tree, "push", "--quiet", "origin", "main")

    def tag(self, tag: str) -> None:
        """A release as anybody might cut one: a manifest with digests, a tag on its commit."""
        tree = self.tree()
        shards = sorted((tree / "data").rglob("*.jsonl"))
        files = [
            {"path": str(shard.relative_to(tree)), "sha256": digest(shard.read_bytes()), "samples": lines(shard)}
            for shard in shards
        ]
        (tree / "releases").mkdir(exist_ok=True)
        manifest = {"tag": tag, "commit": git(tree, "rev-parse", "HEAD"), "files": files}
        (tree / f"releases/{tag}.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        self.push(f"release {tag}")
        git(tree, "tag", "--annotate", "--message", f"release {tag}", tag)
        git(tree, "push", "--quiet", "origin", tag)

    def show(self, path: str, branch="main") -> str:
        return git(self.remote, "show", f"{branch}:{path}")

    def retract(self, identifier=None, *, reason="its contributor asked", at=AT, **more):
        asked = Withdrawal(reason, at, identifier, **more)
        return retract(asked, corpus=self.corpus, **self.place)

    def heads(self) -> str:
        return git(self.remote, "for-each-ref", "--format=%(objectname) %(refname)")


def digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n")


def planted(root: Path) -> tuple[Project, str]:
    """A merged night and an open one, the person in both; and the id of the person's sample."""
    project = Project(root)
    talks = [conversation(*other(n), native_id=str(n)) for n in range(4)]
    first = project.propose([person_talk(), *talks])
    project.merge()
    (person,) = [sample_id for sample_id, line in first.items() if NAME in line["messages"][0]["content"]]
    longer = person_talk("And does he like it?", "Most dogs do; begin with a little of it and look how he fares.")
    more = [conversation(*other(n), native_id=str(n)) for n in range(4, 7)]
    project.propose([longer, *more], LATER, extends=person)
    return project, person
