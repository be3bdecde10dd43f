"""Copies of conversations as `planting.toml` orders them: near and exact duplicates, and beginnings of long chats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from making.conversation import Conversation, Node, Row


def with_copies(conversations: list[Conversation], rules: Row) -> list[Conversation]:
    """The conversations and the copies that the rules make of them."""
    by_slug = {c.slug: c for c in conversations}
    near = [_near(by_slug[rule["of"]], rule, n) for n, rule in enumerate(rules["near_duplicate"])]
    exact = [_exact(by_slug[rule["of"]], rule, n) for n, rule in enumerate(rules["exact_duplicate"])]
    growth = [c for rule in rules["growth"] for c in _growth(by_slug[rule["of"]], rule)]
    return conversations + near + exact + growth


def _copy_of(c: Conversation, to: str, label: str, keep: int | None = None) -> Conversation:
    """A copy of what was shown, without the regenerated answers."""
    shown = c.shown()[:keep]
    nodes = [Node(n.role, n.text, i - 1 if i else None, n.name, n.call, n.thinking) for i, n in enumerate(shown)]
    keys = {k: v for k, v in c.keys.items() if k in ("title", "lang", "no_prompt")}
    return Conversation(c.slug, to, keys, nodes, list(range(len(nodes))), f"{c.slug} {label}", c.start)


def _near(original: Conversation, rule: Row, n: int) -> Conversation:
    c = _copy_of(original, rule.get("to", original.to), f"near {n}")
    c.start += timedelta(hours=rule.get("hours", 20), minutes=n)
    changes = rule.get("change", [])
    for old, new in changes:
        _replace(c, old, new)
    said = [node for node in c.nodes if node.role == "user"]
    said[0].text = rule.get("greeting", "") + said[0].text
    c.nodes[-1].text += rule.get("closing", "")
    if "shape" in rule:
        for node in c.nodes if rule.get("all") else said:
            node.text = _reshaped(node.text, rule["shape"])
    c.planted = {"kind": "near_duplicate", "detail": rule["how"], "of": original}
    if "values" in original.planted:
        c.planted["values"] = [_changed(value, changes) for value in original.planted["values"]]
    return c


def _replace(c: Conversation, old: str, new: str) -> None:
    if not any(old in node.text for node in c.nodes):
        raise SystemExit(f"{c.slug}: nothing to change: {old!r}")
    for node in c.nodes:
        node.text = node.text.replace(old, new)


def _changed(value: str, changes: list[tuple[str, str]]) -> str:
    for old, new in changes:
        value = value.replace(old, new)
    return value


def _reshaped(text: str, shape: str) -> str:
    if shape == "lower":
        return text.lower()
    if shape == "spaces":
        return "  " + text.replace(". ", ".  ").replace("\n", " \n") + "\n\n"
    if shape == "shout":
        return text.upper()
    if shape == "straight":
        return text.replace("**", "").replace("`", "'")
    raise ValueError(shape)


def _exact(original: Conversation, rule: Row, n: int) -> Conversation:
    original.keys["no_prompt"] = "yes"  # or the copies would differ
    c = _copy_of(original, rule["to"], f"exact {n}")
    c.start += timedelta(hours=9, minutes=7 * n)
    c.planted = {"kind": "exact_duplicate", "detail": "another log", "of": original}
    return c


def _growth(original: Conversation, rule: Row) -> Iterator[Conversation]:
    if any(len(original.path) <= k for k in rule["after"]):
        raise SystemExit(f"{rule['of']}: too short to have grown")
    for keep in rule["after"]:
        c = _copy_of(original, original.to, f"growth {keep}", keep)
        c.planted = {"kind": "growth", "detail": f"first {keep} messages", "of": original}
        yield c
