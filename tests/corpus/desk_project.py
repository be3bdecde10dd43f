"""A proposed night for tests of the review desk: a bare remote, a clone for each reviewer, desks on them."""

import itertools
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from corpus import desk_view as view
from corpus.desk import Desk
from corpus.desk_place import Place, Reviewer
from corpus.propose import propose
from corpus.validate import build_samples
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import conversation, row, write_selected

NIGHT = "2026-11-04"
ANN = Reviewer("Ann Reader", "ann@example.org")
BOB = Reviewer("Bob Reader", "bob@example.org")
RECORD = {"settings_digest": "0" * 64, "steps": [], "threshold": 5.0}
_BEGUN = datetime(2026, 11, 5, 8, tzinfo=UTC)
CLEAN = {**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str, who: Reviewer = ANN) -> str:
    """Plain git, as a person would type it."""
    named = ("-c", f"user.name={who.name}", "-c", f"user.email={who.email}")
    done = subprocess.run(
        ["git", *named, *arguments], cwd=folder, env=CLEAN, capture_output=True, text=True, check=True
    )
    return done.stdout.strip("\n")


class DeskProject:
    """A folder with the corpus; each reviewer has a clone and a folder of their own, as on machines of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remote = root / "corpus.git"
        self.open_desks: list[Desk] = []
        self._seconds = itertools.count()

    def propose(self, talks=None, *, record=RECORD, night=NIGHT) -> None:
        """Proposes a night: conversations, (conversation, rating), or (conversation, rating, acceptance)."""
        talks = talks or [conversation(f"What is {n} plus {n}?", f"It is {2 * n}, surely.") for n in range(6)]
        rated = [talk if isinstance(talk, tuple) else (talk, 5.0 + n % 5) for n, talk in enumerate(talks)]
        rows = [
            row(talk, rating=rating, acceptance=sure[0] if sure else None, conversation_id=f"{n:032x}")
            for n, (talk, rating, *sure) in enumerate(rated)
        ]
        output = self.root / f"samples-{night}.parquet"
        build_samples(write_selected(self.root / "in.parquet", rows), output, night=night, publish_subjects=False)
        place = self.place("mill")
        propose(output, corpus=place.corpus, root=self.root, clone=place.clone, night=night, record=record)

    def place(self, machine: str) -> Place:
        return Place(CorpusSettings(remote="corpus.git"), self.root, self.root / machine / "clone.git")

    def desk(self, reviewer: Reviewer = ANN, *, clock=None, night=NIGHT) -> Desk:
        """A reviewer's desk; the time goes on a second with every look."""
        folder = self.root / reviewer.name.split()[0]
        tick = clock or (lambda: f"{_BEGUN + timedelta(seconds=next(self._seconds)):%Y-%m-%dT%H:%M:%SZ}")
        desk = Desk(self.place(folder.name), night, reviewer, folder=folder / "review", clock=tick)
        self.open_desks.append(desk)
        return desk

    def decisions(self) -> list[dict]:
        """The lines of decisions on the branch."""
        shown = self.show(f"decisions/{NIGHT}.jsonl")
        return [orjson.loads(line) for line in shown.splitlines()]

    def shard(self) -> list[str]:
        """The lines of the shard on the branch."""
        return self.show(f"data/general/2026-11/{NIGHT}.jsonl").splitlines()

    def show(self, path: str, branch: str = f"night/{NIGHT}") -> str:
        try:
            return git(self.remote, "show", f"{branch}:{path}")
        except subprocess.CalledProcessError:
            return ""

    def work_tree(self, branch: str = f"night/{NIGHT}", who: Reviewer = BOB) -> Path:
        """A person's own clone with a branch checked out."""
        tree = self.root / f"tree-{who.name.split()[0]}-{next(self._seconds)}"
        git(self.root, "clone", "--quiet", str(self.remote), str(tree))
        git(tree, "checkout", "--quiet", branch)
        return tree

    def push(self, tree: Path, who: Reviewer = BOB) -> None:
        """Commits everything in a work tree and pushes it."""
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "-m", "review: by hand", who=who)
        git(tree, "push", "--quiet", "origin", "HEAD")

    def close(self) -> None:
        for desk in self.open_desks:
            desk.close()


def ids_of(desk: Desk) -> list[str]:
    return [sample.id for sample in desk.night.samples]


def edited(desk: Desk, sample_id: str, text: str, turn: str = "1") -> list[dict]:
    return view.edited_messages(desk, sample_id, {turn: text})
