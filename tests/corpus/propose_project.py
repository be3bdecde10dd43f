"""A project with a bare remote and validated samples to propose there, and plain git to look at it."""

import os
import shutil
import subprocess
from pathlib import Path

from corpus.propose import propose
from corpus.validate import build_samples
from schemas.settings import CorpusSettings
from tests.corpus.judged_rows import row, write_selected

NIGHT = "2026-11-04"

RECORD = {
    "settings_digest": "0" * 64,
    "steps": [{"step": "pull", "in": 9, "kept": 6, "dropped": {"unreadable": 2}, "held": {"no_consent": 1}}],
}

CLEAN = {**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    """Plain git, as a person would type it."""
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *named, *arguments], cwd=folder, env=CLEAN, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Project:
    """A folder with a bare remote, a private clone, and nights made of numbered conversations."""

    def __init__(self, root: Path, remote: str = "corpus.git") -> None:
        self.root = root
        self.corpus = CorpusSettings(remote=remote)
        self.place = {"root": root, "clone": root / "var" / "clone.git"}
        self.remote = root / "corpus.git"

    def samples(self, numbers, night=NIGHT, **columns) -> Path:
        rows = [row(number=n, rating=5.0 + n % 5, **columns) for n in numbers]
        output = self.root / f"samples-{night}.parquet"
        build_samples(write_selected(self.root / "in.parquet", rows), output, night=night, publish_subjects=False)
        return output

    def propose(self, numbers=range(6), night=NIGHT, record=RECORD, **columns):
        samples = self.samples(numbers, night, **columns)
        return propose(samples, corpus=self.corpus, night=night, record=record, **self.place)

    def head(self, branch: str) -> str:
        return git(self.remote, "rev-parse", branch)

    def work_tree(self, branch: str) -> Path:
        """A person's own clone with a branch checked out."""
        tree = self.root / "person"
        shutil.rmtree(tree, ignore_errors=True)
        git(self.root, "clone", "--quiet", str(self.remote), str(tree))
        git(tree, "checkout", "--quiet", branch)
        return tree

    def merge(self, night=NIGHT) -> None:
        tree = self.work_tree("main")
        git(tree, "merge", "--quiet", "--no-edit", "--no-ff", f"origin/night/{night}")
        git(tree, "push", "--quiet", "origin", "main")
