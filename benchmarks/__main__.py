"""All benchmarks, one after the other, each in a process of its own so that peak memory is its own."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = {
    "benchmarks.steps": "pull, screen and deduplicate: conversations/s, MB/s and peak memory",
    "benchmarks.dedupe": "deduplicate against datasketch and datatrove; a second night as the corpus grows",
    "benchmarks.judge": "the judge against the plain way of asking the same model",
    "benchmarks.judge_trial": "the trial of the judge: agreement, calibration, damage, attacks",
    "benchmarks.whole_chats": "the judge on real chats and the same damaged",
    "benchmarks.fed": "the judge on dialogues that people rated",
    "benchmarks.judge_rounds": "twenty nights with a reviewer of another taste: learning, and the alarm",
    "benchmarks.corpus_growth": "a night's git work as the corpus grows: propose, fetch, clone",
    "benchmarks.settle": "settling a night of 10,000 samples",
    "benchmarks.release": "a release of many samples",
    "benchmarks.redact_quality": "precision and recall of redaction",
}


def main() -> int:
    """Runs every benchmark; the exit code is 1 when one of them failed."""
    failed = []
    for module, text in BENCHMARKS.items():
        print(f"\n== {module}: {text}\n", flush=True)
        if subprocess.run([sys.executable, "-m", module], check=False).returncode:
            failed.append(module)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
