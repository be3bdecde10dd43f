"""The rules as data: names, reasons, thresholds, phrases, and the sentences that the night's page prints."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError, nearest

RULES_FILE = Path(__file__).parents[1] / "screen_rules.toml"


@dataclass(frozen=True)
class Rule:
    """One rule: `says` is its sentence, `source` the citation of its thresholds, which are in `values`."""

    name: str
    reason: str
    looks_at: str
    says: str
    source: str
    values: Mapping[str, Any]

    def number(self, key: str) -> float:
        """A threshold."""
        return float(self.values[key])


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by name, in the order in which they are asked."""
    rows = tomllib.loads(RULES_FILE.read_text(encoding="utf-8"))["rule"]
    fixed = ("name", "reason", "looks_at", "says", "source")
    made = [Rule(**{key: row.pop(key) for key in fixed}, values=row) for row in rows]
    return {rule.name: rule for rule in made}


def check_names(names: Sequence[str]) -> None:
    """Checks `screen.disabled_rules`.

    Raises:
        SettingsError: a name is no rule's.
    """
    for name in names:
        if name not in rules():
            raise SettingsError(
                f"screen.disabled_rules names {name!r}, which is no rule{nearest(name, rules())}; "
                f"the rules are: {', '.join(rules())}"
            )
