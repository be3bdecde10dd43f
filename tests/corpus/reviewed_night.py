"""A proposed night, and people who review it with plain git."""

import atexit
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from corpus.review import Comment
from corpus.settle import Settled, settle
from corpus.stage import read_rows
from schemas.decision import Decision, reviewer_name
from tests.corpus.propose_project import CLEAN, NIGHT, Project, git

NOW = "2026-11-06T07:00:00Z"
SHARD = f"data/general/2026-11/{NIGHT}.jsonl"
PAGE = f"review/{NIGHT}/01.md"
DECISIONS = f"decisions/{NIGHT}.jsonl"
RECORD = f"nights/{NIGHT}.json"
BRANCH = f"night/{NIGHT}"


def name_of(person: str) -> str:
    """The pseudonym of one of our people."""
    return reviewer_name(f"mailto:{person}@example.org")


class Person:
    """Somebody with a clone of the corpus and an address of their own; `hour` is when they commit next."""

    def __init__(self, project: Project, name: str, branch: str = BRANCH) -> None:
        self.name, self.hour = name, 8
        self.tree = project.root / f"tree-{name}"
        git(project.root, "clone", "-q", str(project.remote), str(self.tree))
        git(self.tree, "checkout", "-q", branch)
        self.reviewer = name_of(name)

    def git(self, *arguments: str, at: str | None = None) -> str:
        self.hour += at is None
        when = at or f"2026-11-05T{self.hour // 60 + 8:02}:{self.hour % 60:02}:00Z"
        facts = {"NAME": self.name, "EMAIL": f"{self.name}@example.org", "DATE": when}
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in facts.items()}
        asked = ["git", "-c", "core.autocrlf=false", *arguments]
        done = subprocess.run(asked, cwd=self.tree, env={**CLEAN, **who}, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def read(self, path: str) -> str:
        return (self.tree / path).read_bytes().decode()

    def write(self, path: str, text: str) -> None:
        (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / path).write_bytes(text.encode())

    def untick(self, *ids: str) -> "Person":
        for one in ids:
            self.write(PAGE, self.read(PAGE).replace(f"- [x] keep `{one}`", f"- [ ] keep `{one}`"))
        return self

    def tick(self, *ids: str) -> "Person":
        for one in ids:
            self.write(PAGE, self.read(PAGE).replace(f"- [ ] keep `{one}`", f"- [x] keep `{one}`"))
        return self

    def lines(self) -> dict[str, dict]:
        return {one["id"]: one for one in map(json.loads, self.read(SHARD).splitlines())}

    def put(self, lines) -> None:
        self.write(SHARD, "".join(json.dumps(one) + "\n" for one in lines))

    def delete(self, *ids: str) -> "Person":
        kept = [line for line in self.read(SHARD).splitlines() if json.loads(line)["id"] not in ids]
        self.write(SHARD, "".join(f"{line}\n" for line in kept))
        return self

    def edit(self, sample_id: str, answer: str) -> "Person":
        """Changes the last answer as in a text editor: the id stays what it was."""
        lines = self.lines()
        lines[sample_id]["messages"][-1]["content"] = answer
        self.put(lines.values())
        return self

    def decide(self, sample_id: str, verdict: str = "reject", *, as_who: str | None = None, **facts) -> "Person":
        self.hour += 1
        at = f"2026-11-05T{self.hour // 60 + 8:02}:{self.hour % 60:02}:00Z"
        one = Decision(sample_id, verdict, as_who or self.reviewer, at, BRANCH, **facts)
        known = self.read(DECISIONS) if (self.tree / DECISIONS).exists() else ""
        self.write(DECISIONS, known + one.line().decode())
        return self

    def commit(self, message: str = "review", *, is_signed: bool = True) -> "Person":
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", *(["--signoff"] if is_signed else []), "-m", message)
        return self

    def push(self, branch: str = BRANCH, *options: str) -> "Person":
        self.git("push", "-q", *options, "origin", f"HEAD:{branch}")
        return self

    def pull(self, branch: str = BRANCH, *options: str) -> "Person":
        self.git("pull", "-q", "--no-edit", *(options or ("--no-rebase",)), "origin", branch)
        return self

    def done(self, branch: str = BRANCH) -> "Person":
        return self.commit().push(branch)


@cache
def _proposed() -> Path:
    """A folder with six samples proposed, made once: proposing takes longer than all that follows."""
    folder = Path(mkdtemp(prefix="gristmill-night-"))
    atexit.register(shutil.rmtree, folder)
    Project(folder).propose(range(6))
    return folder


class Night:
    """A night of numbered conversations on its branch."""

    def __init__(self, root: Path, numbers=range(6), **columns) -> None:
        self.root = root
        self.project = Project(root)
        if columns or numbers != range(6):
            self.project.propose(numbers, **columns)
        else:
            shutil.copytree(_proposed(), root, dirs_exist_ok=True)
        self.proposal = self.project.head(BRANCH)
        self.ids = sorted(one["id"] for one in read_rows(root / f"samples-{NIGHT}.parquet"))

    def person(self, name: str, branch: str = BRANCH) -> Person:
        return Person(self.project, name, branch)

    def settle(self, *comments: Comment, now: str = NOW, **asked) -> Settled:
        return settle(NIGHT, corpus=self.project.corpus, comments=comments, now=now, **self.project.place, **asked)

    def file(self, path: str, branch: str = "main") -> str | None:
        asked = ["git", "show", f"{branch}:{path}"]
        done = subprocess.run(asked, cwd=self.project.remote, env=CLEAN, capture_output=True, check=False)
        return done.stdout.decode() if done.returncode == 0 else None

    def kept(self) -> list[str]:
        return [json.loads(line)["id"] for line in (self.file(SHARD) or "").splitlines()]

    def decisions(self) -> list[tuple[str, str, str]]:
        """(sample, verdict, reviewer) as the base branch has them."""
        lines = (self.file(DECISIONS) or "").splitlines()
        return sorted((one["sample_id"], one["verdict"], one["reviewer"]) for one in map(json.loads, lines))

    def record(self) -> dict:
        return json.loads(self.file(RECORD) or "null")

    def merge(self, how: str = "--no-ff") -> None:
        """What a person does on a forge: merge, squash or rebase the branch into the base branch."""
        maintainer = self.person(f"maintainer{how.replace('-', '')}{len(list(self.root.iterdir()))}", "main")
        if how == "--rebase":
            maintainer.git("checkout", "-q", BRANCH)
            maintainer.git("rebase", "-q", "--force-rebase", "origin/main")
        elif how == "--squash":
            maintainer.git("merge", "-q", "--squash", f"origin/{BRANCH}")
            maintainer.git("commit", "-q", "-m", "night")
        else:
            maintainer.git("merge", "-q", "--no-edit", how, f"origin/{BRANCH}")
        maintainer.push("main")
