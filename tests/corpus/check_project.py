"""A corpus for the tests of check: nights proposed by our code, people's commits made by git itself, bad ones raw."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import orjson

from corpus.bulk import BulkObjects
from corpus.check import Problem, Rules, check_change
from corpus.edits import edited_line
from schemas.decision import Decision, reviewer_name
from tests.corpus.propose_project import CLEAN, NIGHT, Project, git

BRANCH = f"night/{NIGHT}"

SIGN_OFF = "\n\nSigned-off-by: Ann <ann@example.org>"
ANN = reviewer_name("mailto:ann@example.org")
SHARD = f"data/general/{NIGHT[:7]}/{NIGHT}.jsonl"
CONTRIBUTION = "contributions/2026-11/ann-1.jsonl"


class CheckProject(Project):
    """A project with a person's clone."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.base = ""
        self.own = ""

    def proposed(self, numbers=range(6), **columns) -> None:
        result = self.propose(numbers, **columns)
        self.base, self.own = str(result.base), str(result.commit)

    def started(self) -> None:
        """A corpus that holds nothing yet."""
        self.proposed()
        git(self.remote, "branch", "--quiet", "-D", f"night/{NIGHT}")

    def on(self, branch: str) -> Path:
        return self.work_tree(branch)

    def commit(self, tree: Path, message="more", *, email="ann@example.org", name="Ann", sign=True) -> str:
        git(tree, "add", "--all", "--force")
        text = message + (SIGN_OFF if sign else "")
        author = ("-c", f"user.name={name}", "-c", f"user.email={email}")
        git(tree, *author, "commit", "--quiet", "--allow-empty", "-m", text)
        return self.brought(tree)

    def brought(self, tree: Path) -> str:
        """HEAD of a work tree, brought into the remote under a name of its own."""
        git(tree, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/change")
        return git(tree, "rev-parse", "HEAD")

    def raw(self, parent: str, entries: Mapping[str, tuple[str, bytes]] | bytes, message="raw" + SIGN_OFF) -> str:
        """A commit whose root tree is the parent's with entries (name to mode and content), or raw bytes."""
        if isinstance(entries, bytes):
            tree = self.object("tree", entries)
        else:
            listed = git(self.remote, "ls-tree", "-z", parent).split("\0")
            found = {line.split("\t")[1]: line.split("\t")[0] for line in listed if line}
            for name, (mode, content) in entries.items():
                kind = {"160000": "commit", "040000": "tree"}.get(mode, "blob")
                oid = content.decode() if kind != "blob" else self.object("blob", content)
                found[name] = f"{mode} {kind} {oid}"
            text = "".join(f"{facts}\t{name}\0" for name, facts in found.items())
            tree = self.run("mktree", "-z", "--missing", stdin=text.encode())
        named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        return self.run(*named, "commit-tree", tree, "-p", parent, "-m", message)

    def object(self, kind: str, content: bytes) -> str:
        return self.run("hash-object", "-w", "--literally", "-t", kind, "--stdin", stdin=content)

    def run(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.remote, env=CLEAN, input=stdin, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def check(self, tip: str, base: str | None = None, **rules) -> list[Problem]:
        return check_change(BulkObjects(self.remote), base or self.base, tip, rules=Rules(**rules))

    def codes(self, tip: str, base: str | None = None, **rules) -> set[str]:
        return {one.code for one in self.check(tip, base, **rules)}

    def lines(self, commit: str = "", path: str = SHARD) -> list[bytes]:
        return self.run("cat-file", "blob", f"{commit or self.own}:{path}").encode().split(b"\n")

    def changed_shard(self, change, **facts) -> str:
        """The tip after somebody let `change` make other bytes of the night's shard."""
        tree = self.on(f"night/{NIGHT}")
        file = tree / SHARD
        file.write_bytes(change(file.read_bytes()))
        return self.commit(tree, **facts)

    def contributed(self, content: bytes, path: str = CONTRIBUTION, **facts) -> str:
        """The tip after somebody contributed a file to the base branch."""
        tree = self.on("main")
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return self.commit(tree, **facts)

    def decided(self, *decisions: Decision, content: bytes | None = None, **facts) -> str:
        tree = self.on(f"night/{NIGHT}")
        file = tree / f"decisions/{NIGHT}.jsonl"
        file.parent.mkdir(exist_ok=True)
        lines = b"".join(sorted(one.line() for one in decisions))
        file.write_bytes(lines if content is None else content)
        return self.commit(tree, **facts)

    def decision(self, number=0, reviewer=ANN, **fields) -> Decision:
        given = {"verdict": "keep", "decided_at": "2026-11-05T08:00:00Z", "proposal": f"night/{NIGHT}", **fields}
        return Decision(sample_id=orjson.loads(self.lines()[number])["id"], reviewer=reviewer, **given)


def talk(*texts: str, licence="CC0-1.0", consent="I wrote both sides", **more) -> bytes:
    """A line of a contribution."""
    messages = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)]
    return orjson.dumps({"messages": messages, "licence": licence, "consent": consent, **more}) + b"\n"


def edited(content: bytes) -> bytes:
    """The shard with its first sample edited as the desk does it."""
    first, *others = content.splitlines(keepends=True)
    messages = orjson.loads(first)["messages"]
    messages[-1]["content"] = "Two words were better."
    return b"".join(sorted([edited_line(first, messages)[1], *others], key=lambda line: orjson.loads(line)["id"]))
