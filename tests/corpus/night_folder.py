"""Nights for tests: real stage files, made by the real steps where a test can steer them, else by small stand-ins."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from corpus.dedupe import deduplicate
from corpus.select import select
from corpus.stage import StageWriter, rejected_row, rejects_path, run_step, write_atomically, write_report
from corpus.validate import build_samples
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Message, Part, Source, content_id
from schemas.outcome import Dropped, Held, Kept, StepReport
from schemas.settings import DedupeSettings, NightSettings
from schemas.tables import DISTINCT, JUDGED, PULLED, REJECTED, SCREENED
from schemas.verdict import JudgeIdentity, Verdict

NIGHT = "2026-11-04"
JUDGE = JudgeIdentity(
    "embedded", "SmolLM2-135M-Instruct.Q8_0", "a1b2" * 16, "fitness 1", "c3d4" * 16, "plain 1", "e5" * 32
)


@dataclass(frozen=True)
class Talk:
    """A conversation and its fate: `fate` is (step, outcome) of the step that stops it, else its rating decides."""

    texts: tuple[str, ...]
    source: str = "gateway"
    language: str | None = "en"
    rating: float = 7.0
    fate: tuple[str, Dropped | Held] | None = None
    roles: tuple[str, ...] = ()
    redactions: dict[str, int] = field(default_factory=dict)
    model: str | None = "small-chat"
    criteria: dict[str, float] = field(default_factory=dict)
    subject: str | None = None
    acceptance: float | None = None
    features: dict[str, float] = field(default_factory=dict)
    judge: JudgeIdentity = JUDGE


def pulled_row(talk: Talk, number: int) -> dict:
    roles = talk.roles or tuple("assistant" if n % 2 else "user" for n in range(len(talk.texts)))
    messages = tuple(
        Message(str(n), str(n - 1) if n else None, role, (Part("text", text),))
        for n, (role, text) in enumerate(zip(roles, talk.texts, strict=True))
    )
    whole = Conversation(Source(talk.source, "test", str(number)), messages, messages[-1].id)
    return {
        "conversation_id": whole.id,
        "source": talk.source,
        "system": "test",
        "native_id": str(number),
        "created_at": datetime(2026, 11, 3, 22, 15, tzinfo=UTC),
        "model": talk.model,
        "language": talk.language,
        "consent": "form",
        "licence": "CC0-1.0",
        "subject": talk.subject,
        "n_messages": len(messages),
        "n_branches": 1,
        "messages": [{"role": turn.role, "content": turn.content} for turn in whole.turns()],
        "tree": canonical_bytes(whole.to_json()).decode(),
    }


def make_night(
    folder: Path,
    talks: list[Talk],
    *,
    until: str = "propose",
    unreadable: int = 0,
    threshold: float = 6.0,
    quota: int = 500,
    judge_facts: dict | None = None,
) -> Path:
    """A night's folder with all steps up to and including `until`."""
    night = _Night(folder, talks, threshold, quota, judge_facts or {})
    for step in ("pull", "screen", "deduplicate", "decontaminate", "judge", "select", "validate", "propose"):
        getattr(night, step)(unreadable) if step == "pull" else getattr(night, step)()
        if step == until:
            break
    return folder


class _Night:
    def __init__(self, folder, talks, threshold, quota, judge_facts):
        self.folder, self.threshold, self.quota, self.judge_facts = folder, threshold, quota, judge_facts
        self.rows = [pulled_row(talk, number) for number, talk in enumerate(talks)]
        self.talks = {row["conversation_id"]: talk for row, talk in zip(self.rows, talks, strict=True)}

    def path(self, stem):
        return self.folder / f"{stem}.parquet"

    def _stopped_by(self, row, step):
        fate = self.talks[row["conversation_id"]].fate
        return fate[1] if fate and fate[0] == step else None

    def pull(self, unreadable):
        output = self.path("pulled")
        dropped, held, kept = {}, {}, 0
        with StageWriter(output, PULLED) as writer, StageWriter(rejects_path(output), REJECTED) as rejects:
            for row in self.rows:
                if outcome := self._stopped_by(row, "pull"):
                    rejects.write(rejected_row(row, outcome))
                    counts = held if isinstance(outcome, Held) else dropped
                    counts[outcome.reason] = counts.get(outcome.reason, 0) + 1
                else:
                    writer.write(row)
                    kept += 1
            for n in range(unreadable):
                place = {"conversation_id": f"line-{n}", "source": "support-bot", "native_id": ""}
                rejects.write(rejected_row(place, Dropped("unreadable", f"line {n + 3}")))
        if unreadable:
            dropped["unreadable"] = unreadable
            places = [
                {"source": "support-bot", "file": "logs/support-bot/2026-11-03-damaged.jsonl", "member": None,
                 "line": n + 3, "offset": 4096 * n, "end": 4096 * n + 9, "reason": "the text ends in the middle",
                 "excerpt": "call me at 020 7946 0958"}
                for n in range(unreadable)
            ]  # fmt: skip
            content = b"".join(orjson.dumps(place) + b"\n" for place in places)
            write_atomically(self.folder / "pulled.quarantine.jsonl", content)
        n_in = len(self.rows) + unreadable
        write_report(
            StepReport("pull", n_in, kept, dropped, held, 1.2, (str(output),), {"files": 18, "bytes": 812_345}), output
        )

    def _step(self, step, source, output, needs, gives, more, **facts):
        def transform(rows):
            for row in rows:
                yield row, self._stopped_by(row, step) or Kept({**row, **more(row)})

        report = run_step(
            step,
            self.path(source),
            self.path(output),
            needs=needs,
            gives=gives,
            transform=transform,
            facts=lambda: facts,
        )
        self._settle_time(report, output, {"screen": 4.4, "decontaminate": 0.6, "judge": 131.0}[step])

    def _settle_time(self, report, stem, seconds):
        """The same folder every time: what the clock said is replaced."""
        fixed = StepReport(
            report.step, report.n_in, report.kept, report.dropped, report.held, seconds, report.outputs, report.facts
        )
        write_report(fixed, self.path(stem))

    def screen(self):
        def more(row):
            talk = self.talks[row["conversation_id"]]
            texts = [message["content"] for message in row["messages"]]
            turns = [(message["role"], message["content"]) for message in row["messages"]]
            return {
                "content_id": content_id([_Turn(*turn) for turn in turns]),
                "n_words": sum(len(text.split()) for text in texts),
                "redactions": json.dumps(talk.redactions),
            }

        self._step("screen", "pulled", "screened", PULLED, SCREENED, more)

    def deduplicate(self):
        report = deduplicate(self.path("screened"), self.path("distinct"), DedupeSettings())
        self._settle_time(report, "distinct", 0.9)

    def decontaminate(self):
        self._step("decontaminate", "distinct", "decontaminated", DISTINCT, DISTINCT, lambda row: {})

    def judge(self):
        def more(row):
            talk = self.talks[row["conversation_id"]]
            verdict = Verdict(
                talk.rating, talk.judge, talk.acceptance, talk.criteria, features=talk.features, n_tokens=300
            )
            return {
                "rating": talk.rating,
                "acceptance": talk.acceptance,
                "verdict": canonical_bytes(verdict.to_json()).decode(),
            }

        self._step("judge", "decontaminated", "judged", DISTINCT, JUDGED, more, **self.judge_facts)

    def select(self):
        settings = NightSettings(quota=self.quota, quota_per_contributor=None)
        report = select(
            self.path("judged"), self.path("selected"), threshold=self.threshold, night=settings, experts=()
        )
        self._settle_time(report, "selected", 0.1)

    def validate(self):
        report = build_samples(
            self.path("selected"), self.path("samples"), night=self.folder.name, publish_subjects=False
        )
        self._settle_time(report, "samples", 0.2)
        self.n_samples = report.kept

    def propose(self):
        n = self.n_samples
        proposal = {
            "state": "proposed" if n else "nothing_to_propose",
            "branch": f"night/{self.folder.name}",
            "commit": "5f" * 20 if n else None,
            "base": "0a" * 20,
            "n_samples": n,
            "files": [f"data/general/2026-11/{self.folder.name}.jsonl"] if n else [],
            "message": f"night/{self.folder.name} is proposed: {n} samples (5f5f5f5f5f5f)",
            "title": f"night {self.folder.name}",
            "body": "",
        }
        write_atomically(self.folder / "proposal.json", orjson.dumps(proposal))


@dataclass(frozen=True)
class _Turn:
    role: str
    content: str
