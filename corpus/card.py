"""The dataset card of a release: a README.md whose front matter makes the folder load with `datasets`, and pictures.

The same facts stand in croissant.json (corpus/croissant.py). Every number is computed from the repository. Names that
come with the data (models, sources, licences) are anybody's text: in the front matter they are JSON strings or left
out, in the text they are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import orjson

from corpus.card_facts import RATING_STEP, CardFacts, Part, card_facts
from corpus.card_pictures import bars_picture, columns_picture
from corpus.charts import Column
from corpus.clone import Clone
from corpus.croissant import croissant
from corpus.markdown import inline
from corpus.near import JACCARD_MIN
from corpus.release_plan import Plan
from corpus.repository import TEMPLATE
from corpus.splits import SplitRule
from schemas.release import SPLITS, Split

_SHOWN = 12
"""Rows of a table or picture of names; the rest is summed up."""

_HUB_LICENCES = {
    "CC0-1.0": "cc0-1.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "ODC-BY-1.0": "odc-by",
}
"""SPDX ids by the names that dataset cards have for them; with any other the card says `other`."""

_LEFT_OUT = {
    "withdrawn": "was withdrawn",
    "repeated": "stands in the corpus twice; one of the two was taken",
    "crosses_splits": "is tied to two splits of an earlier release at once",
}


def card_files(
    store: Clone, commit: str, tag: str, released_on: str, rule: SplitRule, planned: Plan
) -> dict[str, bytes]:
    """Path to content of the card's files: README.md, croissant.json and pictures/."""
    facts = card_facts(store, commit, tag, released_on, rule, planned)
    return {"README.md": _readme(facts).encode(), "croissant.json": croissant(facts), **_pictures(facts)}


def _pictures(facts: CardFacts) -> dict[str, bytes]:
    lows = [1 + RATING_STEP * number for number in range(len(facts.ratings))]
    ratings = [
        Column(f"{low:.1f} to {low + RATING_STEP:.1f}", n, tick=f"{low:.0f}" if low == int(low) else "")
        for low, n in zip(lows, facts.ratings, strict=True)
    ]
    words = [Column(f"{low} to {2 * low - 1} words", n, tick=f"{low:,}") for low, n in facts.words.items()]
    last = f"{2 * max(facts.words, default=1):,}"
    return {
        "pictures/ratings.svg": columns_picture("ratings", "Samples by the judge's rating", ratings, "10"),
        "pictures/words.svg": columns_picture("words", "Samples by length in words", words, last),
        "pictures/languages.svg": bars_picture("Samples by language", _top(facts.languages, "not known")),
    }


def _top(counts: Mapping[str, int], unnamed: str) -> list[tuple[str, int]]:
    """The largest counts, and the rest in one."""
    named = [(name or unnamed, n) for name, n in counts.items()]
    rest = sum(n for _, n in named[_SHOWN:])
    return named[:_SHOWN] + ([("others", rest)] if rest else [])


# The front matter.


def _front_matter(facts: CardFacts) -> Iterator[str]:
    yield "---"
    yield f"pretty_name: {_quoted(f'Gristmill corpus, release {facts.tag}')}"
    yield from _licence(facts)
    codes = sorted(code for code in facts.languages if re.fullmatch(r"[a-z]{2,3}", code))
    if codes:
        yield "language:"
        yield from (f"- {_quoted(code)}" for code in codes)
    yield f"size_categories:\n- {_quoted(_size_category(facts.n_samples))}"
    yield "task_categories:\n- text-generation"
    yield "tags:\n- conversations\n- peer-reviewed\n- gristmill\n- croissant"
    yield "annotations_creators:\n- machine-generated\n- expert-generated"
    yield "configs:"
    yield from _configs(facts)
    yield "dataset_info:"
    for name, counts in _named_configs(facts):
        yield f"- config_name: {_quoted(name)}"
        yield from _features()
        yield "  splits:"
        for split, part in counts.items():
            yield f"  - name: {split}\n    num_bytes: {part.bytes}\n    num_examples: {part.samples}"
    yield "---"


def _named_configs(facts: CardFacts) -> Iterator[tuple[str, Mapping[Split, Part]]]:
    """`default` with everything, then one configuration an expert; splits without a sample have no files."""
    whole = {split: Part(facts.counts[split].samples, facts.counts[split].bytes) for split in SPLITS}
    for name, parts in (("default", whole), *facts.by_expert.items()):
        if name != "default" or parts is whole:
            yield name, {split: part for split, part in parts.items() if part.samples}


def _configs(facts: CardFacts) -> Iterator[str]:
    for name, counts in _named_configs(facts):
        yield f"- config_name: {_quoted(name)}"
        yield from ("  default: true",) if name == "default" else ()
        yield "  data_files:"
        for split in counts:
            folder = "*" if name == "default" else name
            yield f"  - split: {split}\n    path: {_quoted(f'data/{split}/{folder}/*/*.jsonl')}"


def _features() -> Iterator[str]:
    """The columns, as the corpus's own card states them."""
    text = (TEMPLATE / "README.md").read_text(encoding="utf-8").split("\n---\n")[0]
    yield from text[text.index("  features:\n") :].split("\n")


def _licence(facts: CardFacts) -> Iterator[str]:
    if set(facts.licences) <= set(_HUB_LICENCES):
        yield "license:"
        yield from (f"- {_HUB_LICENCES[name]}" for name in sorted(facts.licences))
    else:
        yield "license: other\nlicense_name: per-sample\nlicense_link: LICENSE"


def _size_category(n: int) -> str:
    """As dataset cards name sizes: n<1K, 1K<n<10K, ..., n>1T."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    place = next((at for at in range(len(names)) if n < 1000 * 10**at), len(names))
    if place == 0:
        return "n<1K"
    return f"{names[place - 1]}<n<{names[place]}" if place < len(names) else "n>1T"


def _quoted(text: str) -> str:
    """A JSON string, which YAML reads as the same text."""
    return orjson.dumps(text).decode()


# The text.


def _readme(facts: CardFacts) -> str:
    return "\n".join(
        [*_front_matter(facts), *_what(facts), *_splits(facts), *_made(facts), *_judged(facts), *_end(facts)]
    )


def _what(facts: CardFacts) -> Iterator[str]:
    first, last, n_nights = facts.nights
    yield f"# Gristmill corpus, release {facts.tag}\n"
    yield (
        f"{facts.n_samples:,} conversations between people and a chatbot ({facts.n_messages:,} messages, "
        f"{facts.n_words:,} words), picked in {n_nights:,} nights from {first} to {last}: personal data and secrets "
        "replaced by placeholders, duplicates removed, rated by a judge, then read by people, who rejected what should "
        f"not be here. Released on {facts.released_on}.\n"
    )
    yield "```python"
    yield "from datasets import load_dataset\n"
    yield 'corpus = load_dataset("path/to/this/folder")  # a clone of the repository at this tag'
    yield 'corpus["train"][0]["messages"]  # [{"role": "user", "content": "..."}, ...]'
    yield "```\n"
    yield "![Samples by the judge's rating](pictures/ratings.svg)\n"
    yield "![Samples by language](pictures/languages.svg)\n"
    yield "![Samples by length in words](pictures/words.svg)\n"


def _splits(facts: CardFacts) -> Iterator[str]:
    yield "## Splits\n"
    yield "| split | samples | groups | bytes |\n| --- | ---: | ---: | ---: |"
    for split in SPLITS:
        count = facts.counts[split]
        yield f"| {split} | {count.samples:,} | {count.groups:,} | {count.bytes:,} |"
    yield (
        "\n**`test` is a sealed holdout: measure on it, never train on it, never tune on it.** Exports for training do "
        "not have it.\n"
    )
    yield (
        f"Samples whose texts are nearly the same (a MinHash similarity of {JACCARD_MIN} or more of word 5-grams), of "
        "one contributor, of one conversation, or that go on where another ends, are one group, and a group is in one "
        f"split; the largest has {facts.largest_group:,} samples. A hash of the group decides: "
        f"{facts.rule.test_share:g} of the groups are for test, {facts.rule.validation_share:g} for validation. A "
        "sample keeps its split in every later release. Contributors without a pseudonym cannot be told apart, so "
        "theirs may be in several splits.\n"
    )
    for reason, n in sorted(facts.left_out.items()):
        yield f"- {n:,} left out: each {_LEFT_OUT[reason]}"
    yield "\n| expert | " + " | ".join(SPLITS) + " |\n| --- |" + " ---: |" * len(SPLITS)
    for expert, parts in facts.by_expert.items():
        yield f"| {expert} | " + " | ".join(f"{parts[split].samples:,}" for split in SPLITS) + " |"
    yield '\nEach expert is a configuration of its own, too: `load_dataset(folder, "<expert>")`.\n'


def _made(facts: CardFacts) -> Iterator[str]:
    yield "## Where it comes from\n"
    for title, counts in (("source", facts.sources), ("answering model", facts.models), ("licence", facts.licences)):
        yield from _table(title, _top(counts, "not known"))
    yield (
        "Users agreed to publication on the basis that each sample names in `provenance.consent`. `nights/` counts "
        "every conversation that was left out, with the reason; `decisions/` has what reviewers decided, under "
        "pseudonyms.\n"
    )


def _table(title: str, rows: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield f"| {title} | samples |\n| --- | ---: |"
    yield from (f"| {inline(name)} | {n:,} |" for name, n in rows)
    yield ""


def _judged(facts: CardFacts) -> Iterator[str]:
    yield "## How far to trust the ratings\n"
    yield "| judge | model | rubric | head | samples |\n| --- | --- | --- | --- | ---: |"
    for judge, n in facts.judges[:_SHOWN]:
        names = (inline(str(judge.get(key) or "-")) for key in ("name", "model", "rubric", "head"))
        yield f"| {' | '.join(names)} | {n:,} |"
    yield f"\n{_judge_words(facts)}\n\n{_reviewer_words(facts)}\n"


def _judge_words(facts: CardFacts) -> str:
    found = facts.judge_agreement
    if found.auc is None:
        return "**Judge and people:** not measured; it takes samples that people kept and samples that they rejected."
    return (
        f"**Judge and people:** on {found.n_kept + found.n_rejected:,} samples of the newest {found.n_nights} nights "
        f"with decisions, of which people kept {found.n_kept:,}, a kept sample was rated above a rejected one in "
        f"{100 * found.auc:.0f} of 100 pairs (50 by chance). All of them had passed the judge's threshold."
    )


def _reviewer_words(facts: CardFacts) -> str:
    alpha = facts.reviewers.alpha
    n_planted = sum(one.n_honeypots for one in facts.reviewers.reviewers)
    planted = ""
    if n_planted:
        n_hits = sum(one.n_hits for one in facts.reviewers.reviewers)
        planted = f" Of {n_planted:,} decisions on planted samples {n_hits:,} were right."
    if alpha.value is None:
        n = len(facts.reviewers.reviewers)
        return f"**Reviewers among themselves:** not measured ({n} reviewers, no sample that two differ on).{planted}"
    return (
        f"**Reviewers among themselves:** Krippendorff's alpha {alpha.value:.2f} on {alpha.n_units:,} samples that two "
        f"or more decided on (1 is perfect, 0 is chance; below 0.667 it should not be built on).{planted}"
    )


def _end(facts: CardFacts) -> Iterator[str]:
    yield "## Known limits\n"
    yield "- Nobody has checked that the answers are true."
    yield "- Recognisers of personal data and reviewers miss some; tell us, and it is withdrawn (CONTRIBUTING.md)."
    yield "- The judge is a small model. It prefers what its reviewers prefer, and its ratings say nothing of facts."
    yield "- A sample on which nobody said anything when its night was merged counts as kept."
    yield "- The corpus is what one chatbot's users typed: its languages, subjects and manners are theirs."
    yield "- Texts that are alike in meaning and not in words may be in different splits.\n"
    yield "## What it is not for\n"
    yield (
        "Not to find out who somebody is, not to decide anything about a person, not as a source of facts. A model "
        "trained on it answers as chatbots do, errors included. Not, in its `test` split, for any training.\n"
    )
    yield "## Licence and proof\n"
    yield (
        "Each sample names its licence in `provenance.licence`; see `LICENSE`. "
        f"`releases/{facts.tag}.json` has the digest of every file and says what the release was made of (commit "
        f"`{facts.corpus_commit}`); `gristmill release verify {facts.tag}` makes it again and compares.\n"
    )
