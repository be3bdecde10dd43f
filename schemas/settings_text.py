"""The commented gristmill.toml that `gristmill init` writes, made from the descriptions in schemas/settings.py."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.settings import Settings, model_of

_EXAMPLES: dict[tuple[str, str], Any] = {
    ("sources", "name"): "support-bot",
    ("sources", "path"): "logs/**/*.jsonl",
    ("sources", "type"): "openai-messages",
    ("sources", "consent"): "users agreed to publication, form of 2026-01",
    ("sources", "licence"): "CC0-1.0",
    ("corpus", "token_env"): "GRISTMILL_FORGE_TOKEN",
    ("forge", "url"): "https://git.example.org",
    ("forge", "project"): "owner/corpus",
    ("experts", "name"): "code",
    ("experts", "languages"): ("en",),
    ("experts", "sources"): ("support-bot",),
    ("experts", "pattern"): "```|def |SELECT ",
    ("judge", "rubric"): "rubric.toml",
    ("judge", "model"): "models/judge.gguf",
    ("judge", "endpoint_url"): "http://localhost:8000/v1",
    ("judge", "endpoint_model"): "my-judge",
    ("judge", "script"): "ratings.jsonl",
    ("judge", "members"): ("small", "large"),
    ("judge", "max_disagreement"): 2.0,
    ("judges", "name"): "small",
    ("judge_round", "decisions_since"): "2026-11-04",
    ("night", "quota_per_expert"): 200,
    ("night", "subject_key_file"): "subject.key",
    ("release", "signing_key"): "release_key",
    ("release", "allowed_signers"): "allowed_signers",
    ("release", "webhook_url"): "https://train.example.org/rounds",
    ("release", "deployment"): "train/nightly",
}
"""What to show for keys without a default."""

_LIVE = {
    ("sources", "name"),
    ("sources", "path"),
    ("sources", "licence"),
    ("corpus", "remote"),
    ("judge", "threshold"),
    ("night", "quota"),
}
"""The keys that a first night needs; the others are shown commented out."""


def settings_text() -> str:
    """The text of a gristmill.toml that holds every key with its default and its documentation."""
    blocks = [_table(name, field) for name, field in Settings.model_fields.items()]
    head = "# Gristmill's settings. A key that is commented out has the value shown, or is absent where it says so."
    return head + "\n\n" + "\n\n".join(blocks) + "\n"


def _table(name: str, field: FieldInfo) -> str:
    model = model_of(field)
    header = f"[{name}]" if field.annotation is model else f"[[{name}]]"
    is_live = any(table == name for table, _ in _LIVE)
    lines = [f"# {model.__doc__}", header if is_live or header == f"[{name}]" else f"# {header}"]
    inherited = {key for base in model.__bases__ if issubclass(base, BaseModel) for key in base.model_fields}
    for key, key_field in model.model_fields.items():
        if key in inherited:  # documented where it comes from
            continue
        lines += [f"# {key_field.description}", _key(name, key, key_field)]
    return "\n".join(lines)


def _key(table: str, key: str, field: FieldInfo) -> str:
    value = _EXAMPLES.get((table, key), field.default)
    return f"{'' if (table, key) in _LIVE else '# '}{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
