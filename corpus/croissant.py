"""A release in Croissant JSON-LD (format 1.0 of MLCommons): one record set a split."""

from __future__ import annotations

from typing import Any

import orjson

from corpus.card_facts import CardFacts
from schemas.release import SPLITS

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the format's specification prescribes."""

_COLUMNS = (("id", "sc:Text"), ("expert", "sc:Text"))
_OF_MESSAGES = (("role", "sc:Text"), ("content", "sc:Text"))


def croissant(facts: CardFacts) -> bytes:
    """The bytes of croissant.json."""
    splits = [split for split in SPLITS if facts.counts[split].samples]
    licences = sorted(f"https://spdx.org/licenses/{name}.html" for name in facts.licences if _is_plain(name))
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "gristmill-corpus",
        "description": f"{facts.n_samples} peer-reviewed conversations with a chatbot. Split test is a sealed holdout.",
        "version": _version(facts),
        "alternateName": facts.tag,
        "datePublished": facts.released_on,
        "license": licences or ["https://spdx.org/licenses/NOASSERTION.html"],
        "url": "README.md",
        "citeAs": f"Gristmill corpus, release {facts.tag}, {facts.released_on}",
        "keywords": ["conversations", "peer-reviewed", "gristmill"],
        "inLanguage": sorted(code for code in facts.languages if _is_plain(code)),
        "isLiveDataset": False,
        "distribution": [_files(split) for split in splits],
        "recordSet": [_records(split) for split in splits],
    }
    return orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _version(facts: CardFacts) -> str:
    """The release's date as three numbers, which is the form that the format asks of a version."""
    year, month, day = facts.released_on.split("-")
    return f"{int(year)}.{int(month)}.{int(day)}"


def _is_plain(name: str) -> bool:
    return bool(name) and name.isascii() and all(c.isalnum() or c in "-.+" for c in name)


def _files(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"files-{split}",
        "description": f"The shards of split {split}: one canonical JSON object a line.",
        "encodingFormat": "application/jsonlines",
        "includes": f"data/{split}/*/*/*.jsonl",
    }


def _records(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "description": f"The samples of split {split}.",
        "key": {"@id": f"{split}/id"},
        "field": [
            *(_field(split, f"{split}/{name}", kind, name) for name, kind in _COLUMNS),
            {
                "@type": "cr:Field",
                "@id": f"{split}/messages",
                "description": "The path of the conversation that its user last saw.",
                "repeated": True,
                "subField": [
                    {
                        **_field(split, f"{split}/messages/{name}", kind, "messages"),
                        "source": {
                            "fileSet": {"@id": f"files-{split}"},
                            "extract": {"column": "messages"},
                            "transform": {"jsonPath": f"$[*].{name}"},
                        },
                    }
                    for name, kind in _OF_MESSAGES
                ],
            },
        ],
    }


def _field(split: str, identifier: str, kind: str, column: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": identifier,
        "dataType": kind,
        "source": {"fileSet": {"@id": f"files-{split}"}, "extract": {"column": column}},
    }
