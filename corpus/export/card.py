"""README.md of an export: how to load it, for people; what is in it, as YAML that `load_dataset` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from corpus.export.formats import ExportFacts, Format

_KINDS = {
    "sft": "conversations to imitate",
    "preference": "preference pairs",
    "unpaired": "replies labelled as good or bad",
    "prompt": "prompts, with the reply that people kept as a reference",
    "reward": "pairs to train a reward model on",
}


def card(form: Format, facts: ExportFacts) -> str:
    """The text of the file; every value is quoted as JSON, which is YAML, so none can break out."""
    return "\n".join(["---", *_front(form, facts), "---", *_body(form, facts)]) + "\n"


def _front(form: Format, facts: ExportFacts) -> Iterator[str]:
    yield "pretty_name: " + json.dumps(f"Gristmill release {facts.tag}, {_KINDS[facts.kind]}")
    # One licence can be named only where all rows bear it; each sample of the release names its own.
    yield "license: other" if len(facts.licences) != 1 else "license: " + json.dumps(_hub_licence(facts))
    if languages := [name for name in facts.languages if name != "unknown"]:
        yield f"language: {json.dumps(languages)}"
    yield "task_categories: [text-generation]"
    yield "configs:"
    for config, by_split in facts.paths.items():
        yield f"- config_name: {config}"
        yield from ["  default: true"] if config == "default" else []
        yield "  data_files:"
        for split, paths in by_split.items():
            yield f"  - split: {split}"
            yield f"    path: {json.dumps(list(paths))}"
    if form.columns:
        yield from _description(form.columns[facts.kind], facts)


def _hub_licence(facts: ExportFacts) -> str:
    """The SPDX id as the hub writes it."""
    return next(iter(facts.licences)).lower()


def _description(schema: pa.Schema, facts: ExportFacts) -> Iterator[str]:
    """The features, so that no type is guessed from the first rows, and the counts, which the loader verifies."""
    yield "dataset_info:"
    for config, by_split in facts.counts.items():
        yield f"- config_name: {config}"
        yield "  features:"
        for column in schema:
            yield from _feature(column, "  ")
        yield "  splits:"
        for split, n_rows in by_split.items():
            yield f"  - name: {split}"
            yield f"    num_examples: {n_rows}"


def _feature(column: pa.Field, indent: str) -> Iterator[str]:
    yield f"{indent}- name: {column.name}"
    kind = column.type
    if pa.types.is_list(kind):
        yield f"{indent}  list:"
        inner: Sequence[pa.Field] = list(kind.value_type)
    elif pa.types.is_struct(kind):
        yield f"{indent}  struct:"
        inner = list(kind)
    else:
        yield f"{indent}  dtype: {kind}"
        return
    for one in inner:
        yield from _feature(one, f"{indent}  ")


def _body(form: Format, facts: ExportFacts) -> Iterator[str]:
    yield from (f"# Release {facts.tag}: {_KINDS[facts.kind]}", "")
    yield f"{facts.n_rows:,} rows for {form.title}, made by `gristmill export` from the commit `{facts.commit}`."
    yield "`export.json` lists the files with their digests; `left_out.jsonl` says which samples are not in, and why."
    yield "The release's sealed holdout is not in it."
    yield from ("", "## Loading", "", form.usage(facts), "", "## Licences and experts", "")
    yield from _table("licence", facts.licences)
    yield ""
    yield from _table("expert", facts.experts)


def _table(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield from (f"| {name} | rows |", "| --- | ---: |")
    yield from (f"| {value.replace('|', ' ')} | {n:,} |" for value, n in counts.items())
