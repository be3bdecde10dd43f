#!/usr/bin/env python3
"""Write examples/logs/ and examples/planted.json from examples/conversations/.

The conversations are Markdown files that a person can read and edit.  A file
begins with `to: a, b` (the logs its conversations may go to); then come the
conversations:

    # conversation: rice-on-the-hob
    plant: pii            (optional keys, one a line)
    ## user
    How much water for a cup of rice?
    ## assistant, first try
    (an answer that the user had regenerated: a sibling of the next one)
    ## assistant
    ...

Other headings: `## system`, `## thinking` (belongs to the next answer),
`## call NAME` and `## result NAME` (tool use), `## assistant, rank 1` (OASST).
`planting.toml` beside them says which conversations are copied, how they are
changed and where the copies go.

Nothing is random.  Every choice (day, time, user, model, id, log) comes from the
SHA-256 of a conversation's name, so that running this again gives the same
bytes and a new conversation moves no other.
"""

import hashlib
import json
import re
import shutil
import tomllib
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOGS = HERE / "logs"
FIRST_DAY = datetime(2026, 11, 1, tzinfo=UTC)
HEADING = re.compile(
    r"^## (system|user|assistant|thinking|call|result)(?: (\w+))?"
    r"(?:, (first try|rank (\d)))?$"
)

USERS = ["alder", "birch", "cedar", "dogwood", "elm", "fir", "gorse", "hazel", "ivy", "juniper", "larch", "maple"]
WEBUI_MODELS = ["llama3.1:8b", "qwen3:8b", "mistral-small:24b"]
PROXY_MODELS = ["mistral-small-latest", "llama-3.1-8b-instruct"]
SUPPORT_PROMPTS = [
    "You are the help desk assistant of Millrace, a small hosting company. "
    "Answer plainly, show commands in code blocks and say when something can lose data.",
    "You help the volunteers of a community computer club. Be correct first and short second.",
    "",
    "",
]


@dataclass
class Node:
    role: str  # system, user, assistant, tool
    text: str
    parent: int | None
    name: str = ""  # of the tool
    call: bool = False  # the assistant calls a tool, text is its argument
    thinking: str = ""
    rank: int | None = None


@dataclass
class Conversation:
    slug: str
    to: str
    keys: dict
    nodes: list[Node]
    path: list[int]  # the nodes that the user saw last
    name: str = ""  # what ids and times are made from
    start: datetime = FIRST_DAY
    planted: dict = field(default_factory=dict)

    def shown(self):
        return [self.nodes[i] for i in self.path]


# ------------------------------------------------------------------ choices


def number(text, below):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % below


def pick(choices, text):
    return choices[number(text, len(choices))]


def hexid(text, length):
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def uid(text):
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def start_of(name):
    day = timedelta(days=number("day " + name, 5))
    return FIRST_DAY + day + timedelta(seconds=6 * 3600 + number("time " + name, 15 * 3600))


def times(c):
    """One time a node: a person takes longer to type than a model to answer."""
    now, out = c.start, []
    for i, node in enumerate(c.nodes):
        out.append(now)
        least, most = (3, 25) if node.role == "user" else (25, 120)
        now += timedelta(seconds=least + number(f"pause {c.name} {i}", most - least))
    return out


def user_of(c):
    return pick(USERS, "user " + c.keys.get("same_user_as", c.slug))


# ------------------------------------------------------------------ reading


def read_markdown(path):
    """Every conversation of one Markdown file."""
    found, targets, current = [], [], None
    for line in path.read_text(encoding="utf-8").split("\n"):
        heading = HEADING.match(line)
        if line.startswith("# conversation: "):
            current = {"slug": line.split(": ", 1)[1].strip(), "keys": {}, "turns": []}
            found.append(current)
        elif current is None:
            if line.startswith("to: "):
                targets = [t.strip() for t in line[4:].split(",")]
        elif heading:
            current["turns"].append([heading, []])
        elif current["turns"]:
            current["turns"][-1][1].append(line)
        elif ": " in line:
            key, value = line.split(": ", 1)
            current["keys"][key] = value.strip()
    return [build(c["slug"], c["keys"], c["turns"], targets) for c in found]


def build(slug, keys, turns, targets):
    nodes, path, thinking = [], [], ""
    for heading, lines in turns:
        role, name, aside, rank = heading.groups()
        text = "\n".join(lines).strip("\n")
        if role == "thinking":
            thinking = text
            continue
        node = Node(role, text, path[-1] if path else None, name or "", thinking=thinking)
        thinking = ""
        if role == "call":
            node.role, node.call = "assistant", True
        elif role == "result":
            node.role = "tool"
        if rank is not None:
            node.rank = int(rank)
        nodes.append(node)
        if not aside or rank == "0":
            path.append(len(nodes) - 1)
    to = keys.get("to") or pick(targets, "to " + slug)
    c = Conversation(slug, to, keys, nodes, path, slug, start_of(slug))
    if "plant" in keys:
        kind, _, detail = keys["plant"].partition(" ")
        c.planted = {"kind": kind, "detail": detail}
        if "values" in keys:
            c.planted["values"] = [v.strip() for v in keys["values"].split(" | ")]
    return c


# ----------------------------------------------------------------- planting


def copy_of(c, to, label, keep=None):
    """A copy of what was shown, without the regenerated answers."""
    shown = c.shown()[:keep]
    nodes = [Node(n.role, n.text, i - 1 if i else None, n.name, n.call, n.thinking) for i, n in enumerate(shown)]
    keys = {k: v for k, v in c.keys.items() if k in ("title", "lang", "no_prompt")}
    return Conversation(c.slug, to, keys, nodes, list(range(len(nodes))), f"{c.slug} {label}", c.start)


def reshape(text, shape):
    if shape == "lower":
        return text.lower()
    if shape == "spaces":
        return "  " + text.replace(". ", ".  ").replace("\n", " \n") + "\n\n"
    if shape == "shout":
        return text.upper()
    if shape == "straight":
        return text.replace("**", "").replace("`", "'")
    raise ValueError(shape)


def plant_copies(conversations, rules):
    by_slug = {c.slug: c for c in conversations}
    extra = []
    for n, rule in enumerate(rules["near_duplicate"]):
        original = by_slug[rule["of"]]
        c = copy_of(original, rule.get("to", original.to), f"near {n}")
        c.start += timedelta(hours=rule.get("hours", 20), minutes=n)
        for old, new in rule.get("change", []):
            if not any(old in node.text for node in c.nodes):
                raise SystemExit(f"{rule['of']}: nothing to change: {old!r}")
            for node in c.nodes:
                node.text = node.text.replace(old, new)
        said = [node for node in c.nodes if node.role == "user"]
        if "greeting" in rule:
            said[0].text = rule["greeting"] + said[0].text
        if "closing" in rule:
            c.nodes[-1].text += rule["closing"]
        if "shape" in rule:
            for node in c.nodes if rule.get("all") else said:
                node.text = reshape(node.text, rule["shape"])
        c.planted = {"kind": "near_duplicate", "detail": rule["how"], "of": original}
        if "values" in original.planted:
            changed = original.planted["values"]
            for old, new in rule.get("change", []):
                changed = [v.replace(old, new) for v in changed]
            c.planted["values"] = changed
        extra.append(c)
    for n, rule in enumerate(rules["exact_duplicate"]):
        original = by_slug[rule["of"]]
        original.keys["no_prompt"] = "yes"  # or the copies would differ
        c = copy_of(original, rule["to"], f"exact {n}")
        c.start += timedelta(hours=9, minutes=7 * n)
        c.planted = {"kind": "exact_duplicate", "detail": "another log", "of": original}
        extra.append(c)
    for rule in rules["growth"]:
        original = by_slug[rule["of"]]
        if any(len(original.path) <= k for k in rule["after"]):
            raise SystemExit(f"{rule['of']}: too short to have grown")
        for keep in rule["after"]:
            c = copy_of(original, original.to, f"growth {keep}", keep)
            c.planted = {"kind": "growth", "detail": f"first {keep} messages", "of": original}
            extra.append(c)
    return conversations + extra


# ------------------------------------------------------- one writer a format


def support_bot(c):
    messages, call_id = [], ""
    if c.nodes[0].role != "system":
        prompt = pick(SUPPORT_PROMPTS, "prompt " + c.slug)
        if prompt and not c.keys.get("no_prompt"):
            messages.append({"role": "system", "content": prompt})
    tools = []
    for i, n in enumerate(c.shown()):
        if n.call:
            call_id = "call_" + hexid(f"{c.name} {i}", 20)
            function = {"name": n.name, "arguments": n.text}
            call = {"id": call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            names = {k: {"type": "string"} for k in json.loads(n.text)}
            schema = {"type": "object", "properties": names}
            tools.append({"type": "function", "function": {"name": n.name, "parameters": schema}})
        elif n.role == "tool":
            messages.append({"role": "tool", "tool_call_id": call_id, "content": n.text})
        else:
            messages.append({"role": n.role, "content": n.text})
    row = {
        "id": "chatcmpl-" + hexid(c.name, 24),
        "created_at": iso(c.start),
        "model": "millrace-support-7b",
        "user": user_of(c),
        "messages": messages,
    }
    if tools:
        row["tools"] = tools
    return row["id"], row


def gateway(c):
    when, native = times(c), "gm_" + hexid(c.name, 16)
    ids = [f"{native}.{i}" for i in range(len(c.nodes))]
    messages = []
    for i, n in enumerate(c.nodes):
        message = {
            "id": ids[i],
            "parent_id": None if n.parent is None else ids[n.parent],
            "role": n.role,
            "content": n.text,
            "created_at": iso(when[i]),
        }
        if n.role == "assistant":
            message["model"] = "smollm2-135m-instruct"
        messages.append(message)
    thumbs = []
    if c.keys.get("thumb"):
        value = 1 if c.keys["thumb"] == "up" else -1
        thumbs.append((ids[c.path[-1]], value))
        # the answer that was regenerated away and that the same person disliked
        aside = [i for i in range(len(ids)) if i not in c.path]
        if value == 1 and aside:
            thumbs.append((ids[aside[0]], -1))
    at = iso(when[-1] + timedelta(seconds=40))
    row = {
        "gristmill_log": 1,
        "id": native,
        "started_at": iso(when[0]),
        "finished_at": iso(when[-1]),
        "user": user_of(c),
        "expert": "general",
        "model": "smollm2-135m-instruct",
        "messages": messages,
        "active_leaf": ids[c.path[-1]],
        "feedback": [{"message_id": m, "kind": "thumb", "value": v, "by": "human", "at": at} for m, v in thumbs],
    }
    if number("asked " + c.slug, 3) == 0:
        row["consent"] = "agreed in the chat window before the first message"
        row["licence"] = "CC0-1.0"
    return native, row


def open_webui(c):
    native, model, when = uid("webui " + c.name), pick(WEBUI_MODELS, c.slug), times(c)
    ids = [uid(f"webui {c.name} {i}") for i in range(len(c.nodes))]
    system = next((n.text for n in c.nodes if n.role == "system"), None)
    kept = [i for i, n in enumerate(c.nodes) if n.role != "system"]
    messages = {}
    for i in kept:
        n = c.nodes[i]
        parent = ids[n.parent] if n.parent in kept else None
        stamp = int(when[i].timestamp())
        message = {
            "id": ids[i],
            "parentId": parent,
            "childrenIds": [ids[k] for k in kept if c.nodes[k].parent == i],
            "role": n.role,
            "content": n.text,
            "timestamp": stamp,
        }
        if n.role == "user":
            message["models"] = [model]
        else:
            message.update(model=model, modelName=model, modelIdx=0, done=True)
        if n.thinking:
            seconds = 2 + number("thought " + c.name, 20)
            quoted = "\n".join("&gt; " + line for line in n.thinking.split("\n"))
            message["content"] = (
                f'<details type="reasoning" done="true" duration="{seconds}">\n'
                f"<summary>Thought for {seconds} seconds</summary>\n{quoted}\n</details>\n" + n.text
            )
            if number("output " + c.slug, 2):
                text = {"type": "output_text", "text": n.thinking}
                answer = {"type": "output_text", "text": n.text}
                message["output"] = [
                    {
                        "type": "reasoning",
                        "id": "r-" + ids[i][:8],
                        "status": "completed",
                        "content": [text],
                        "summary": None,
                        "started_at": stamp - seconds,
                        "ended_at": stamp,
                        "duration": seconds,
                    },
                    {
                        "type": "message",
                        "id": "m-" + ids[i][:8],
                        "role": "assistant",
                        "status": "completed",
                        "content": [answer],
                    },
                ]
        messages[ids[i]] = message
    if c.keys.get("rating"):
        score = int(c.keys["rating"])
        messages[ids[c.path[-1]]]["annotation"] = {
            "rating": 1 if score > 5 else -1,
            "reason": "accurate_information" if score > 5 else "not_helpful",
            "comment": "",
            "tags": [],
            "details": {"rating": score},
        }
    flat = [{"role": n.role, "content": n.text} for n in c.shown() if n.role != "system"]
    title = c.keys.get("title") or c.slug.replace("-", " ").capitalize()
    chat = {
        "id": "",
        "title": title,
        "models": [model],
        "params": {"system": system} if system else {},
        "history": {"messages": messages, "currentId": ids[c.path[-1]]},
        "messages": flat,
        "tags": [],
        "timestamp": int(c.start.timestamp() * 1000),
    }
    return native, {
        "id": native,
        "user_id": uid("account " + user_of(c)),
        "title": title,
        "chat": chat,
        "created_at": int(when[0].timestamp()),
        "updated_at": int(when[-1].timestamp()),
        "share_id": None,
        "archived": False,
        "pinned": False,
        "meta": {"tags": []},
        "folder_id": None,
    }


def chatgpt(c):
    native, when = uid("chatgpt " + c.name), times(c)
    ids = [uid(f"chatgpt {c.name} {i}") for i in range(len(c.nodes))]
    root, hidden = uid("root " + c.name), uid("hidden " + c.name)

    def node(key, parent, message):
        return {"id": key, "message": message, "parent": parent, "children": []}

    def message(key, role, content, at, **more):
        return {
            "id": key,
            "author": {"role": role, "name": more.get("name"), "metadata": {}},
            "create_time": at,
            "update_time": None,
            "content": content,
            "status": "finished_successfully",
            "end_turn": more.get("end_turn"),
            "weight": more.get("weight", 1.0),
            "metadata": more.get("metadata", {}),
            "recipient": more.get("recipient", "all"),
        }

    empty = {"content_type": "text", "parts": [""]}
    unseen = {"is_visually_hidden_from_conversation": True}
    mapping = {
        root: node(root, None, None),
        hidden: node(
            hidden,
            root,
            message(hidden, "system", empty, None, end_turn=True, weight=0.0, metadata=unseen),
        ),
    }
    above = hidden
    if c.keys.get("profile"):
        above = uid("profile " + c.name)
        content = {
            "content_type": "user_editable_context",
            "user_profile": c.keys["profile"],
            "user_instructions": "Keep answers short.",
        }
        mapping[above] = node(above, hidden, message(above, "user", content, None, metadata=unseen))
    for i, n in enumerate(c.nodes):
        parent = above if n.parent is None else ids[n.parent]
        at = round(when[i].timestamp() + number(f"us {c.name} {i}", 10**6) / 1e6, 6)
        slug = {"model_slug": "gpt-4o", "finish_details": {"type": "stop"}}
        text = {"content_type": "text", "parts": [n.text]}
        if n.call:
            content = {"content_type": "code", "language": "python", "text": n.text}
            m = message(ids[i], "assistant", content, at, end_turn=False, recipient=n.name, metadata=slug)
        elif n.role == "tool":
            content = {"content_type": "execution_output", "text": n.text}
            m = message(ids[i], "tool", content, at, name=n.name)
        elif n.role == "assistant":
            missing = number(f"no time {c.name} {i}", 12) == 0
            at = None if missing else at
            m = message(ids[i], "assistant", text, at, end_turn=True, metadata=slug)
        else:
            m = message(ids[i], n.role, text, at)
        mapping[ids[i]] = node(ids[i], parent, m)
    for key, entry in mapping.items():
        if entry["parent"]:
            mapping[entry["parent"]]["children"].append(key)
    return native, {
        "title": c.keys.get("title") or c.slug.replace("-", " ").capitalize(),
        "create_time": float(when[0].timestamp()),
        "update_time": float(when[-1].timestamp()),
        "mapping": mapping,
        "moderation_results": [],
        "current_node": ids[c.path[-1]],
        "plugin_ids": None,
        "conversation_id": native,
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "gpt-4o",
        "id": native,
    }


def sharegpt(c):
    native = hexid("share " + c.name, 7) + "_0"
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    turns = [{"from": names[n.role], "value": n.text} for n in c.shown()]
    return native, {"id": native, "conversations": turns}


def oasst(c):
    when, lang = times(c), c.keys.get("lang", "en")
    ids = [uid(f"oasst {c.name} {i}") for i in range(len(c.nodes))]

    def tree(i):
        n = c.nodes[i]
        quality = {None: 0.75, 0: 0.92, 1: 0.58, 2: 0.25}[n.rank]
        out = {
            "message_id": ids[i],
            "text": n.text,
            "role": "prompter" if n.role == "user" else "assistant",
            "lang": lang,
            "review_count": 3,
            "review_result": True,
            "deleted": False,
            "rank": n.rank,
            "synthetic": False,
            "model_name": None,
            "user_id": uid(f"rater {c.name} {i}"),
            "created_date": when[i].strftime("%Y-%m-%dT%H:%M:%S.000000+00:00"),
            "emojis": {"+1": 3 - n.rank} if n.rank is not None and n.rank < 2 else {},
            "labels": {
                "spam": {"value": 0.0, "count": 3},
                "lang_mismatch": {"value": 0.0, "count": 3},
                "quality": {"value": quality, "count": 3},
                "toxicity": {"value": 0.0, "count": 3},
            },
        }
        if n.parent is not None:
            out["parent_id"] = ids[n.parent]
        out["replies"] = [tree(k) for k, m in enumerate(c.nodes) if m.parent == i]
        return out

    row = {"message_tree_id": ids[0], "tree_state": "ready_for_export", "prompt": tree(0)}
    return ids[0], row


def litellm(c):
    """One row for each answer; every row repeats the history before it."""
    session, model, when = "sess-" + hexid(c.name, 12), pick(PROXY_MODELS, c.slug), times(c)
    rows, history = [], []
    for i, n in enumerate(c.shown()):
        if n.role != "assistant":
            history.append({"role": n.role, "content": n.text})
            continue
        key = "chatcmpl-" + uid(f"{c.name} {i}")
        answer = {"role": "assistant", "content": n.text, "tool_calls": None}
        asked = sum(len(m["content"]) for m in history) // 4 + 4
        told = len(n.text) // 4
        usage = {
            "prompt_tokens": asked,
            "completion_tokens": told,
            "total_tokens": asked + told,
        }
        started, ended = when[c.path[i]] - timedelta(seconds=3), when[c.path[i]]
        rows.append(
            {
                "id": key,
                "trace_id": session,
                "session_id": session,
                "call_type": "acompletion",
                "cache_hit": None,
                "stream": True,
                "status": "success",
                "custom_llm_provider": "openai",
                "startTime": started.strftime("%Y-%m-%d %H:%M:%S.%f"),
                "endTime": ended.strftime("%Y-%m-%d %H:%M:%S.%f"),
                "model": model,
                "metadata": {
                    "user_api_key_hash": hexid("key " + user_of(c), 64),
                    "user_api_key_user_id": user_of(c),
                    "requester_ip_address": f"192.0.2.{1 + number(user_of(c), 250)}",
                    "spend_logs_metadata": None,
                },
                "response_cost": round(usage["total_tokens"] * 2e-7, 9),
                **usage,
                "request_tags": [],
                "end_user": user_of(c),
                "model_parameters": {"temperature": 0.7},
                "messages": list(history),
                "response": {
                    "id": key,
                    "created": int(ended.timestamp()),
                    "model": model,
                    "object": "chat.completion",
                    "choices": [{"finish_reason": "stop", "index": 0, "message": answer}],
                    "usage": usage,
                },
                "error_str": None,
            }
        )
        history.append({"role": "assistant", "content": n.text})
    if c.keys.get("fails"):  # the call was refused once before it succeeded
        failed = dict(rows[-1], id=rows[-1]["id"][:-4] + "fail", status="failure", response={})
        failed.update(completion_tokens=0, total_tokens=failed["prompt_tokens"], response_cost=0)
        failed["error_str"] = "litellm.RateLimitError: 429 too many requests"
        early = times(c)[c.path[-1]] - timedelta(seconds=12)
        failed["startTime"] = failed["endTime"] = early.strftime("%Y-%m-%d %H:%M:%S.%f")
        rows.insert(len(rows) - 1, failed)
    if c.keys.get("unstored"):  # store_prompts_in_spend_logs was off
        for row in rows:
            row.update(messages="{}", response="{}")
    return session, rows


# ------------------------------------------------------------------ writing


def line(row):
    return json.dumps(row, ensure_ascii=False)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def file_of(c):
    day = c.start.strftime("%Y-%m-%d")
    return {
        "support-bot": f"support-bot/{day}.jsonl",
        "damaged": "support-bot/2026-11-03-damaged.jsonl",
        "gateway": f"gateway/{day}.jsonl",
        "open-webui": "open-webui/chat-export.json",
        "chatgpt": "chatgpt/conversations.json",
        "sharegpt": "sharegpt/shared.json",
        "oasst": "oasst/trees.jsonl",
        "litellm": "litellm/spend.jsonl",
    }[c.to]


def damage(rows):
    """Good rows with the four kinds of damage that a log can have."""
    lines = [line(r) for r in rows]
    # lines 3, 5, 6 and 8 of the file
    lines.insert(2, lines[0][: len(lines[0]) // 3] + ' <<< disk full, 12 lines lost >>> "}')
    lines.insert(4, "")
    lines.insert(5, '"log rotated"')
    lines[-1] = lines[-1][: len(lines[-1]) * 2 // 3]
    return "\n".join(lines)  # and no line end after the last one


def main():
    conversations = []
    for path in sorted((HERE / "conversations").glob("*.md")):
        conversations += read_markdown(path)
    twice = [s for s, k in Counter(c.slug for c in conversations).items() if k > 1]
    if twice:
        raise SystemExit(f"two conversations of one name: {twice}")
    rules = tomllib.loads((HERE / "conversations" / "planting.toml").read_text("utf-8"))
    conversations = plant_copies(conversations, rules)

    writers = {
        "support-bot": support_bot,
        "damaged": support_bot,
        "gateway": gateway,
        "open-webui": open_webui,
        "chatgpt": chatgpt,
        "sharegpt": sharegpt,
        "oasst": oasst,
        "litellm": litellm,
    }
    files, native = {}, {}
    for c in sorted(conversations, key=lambda c: (c.start, c.name)):
        if any(n.call for n in c.nodes) and c.to not in ("support-bot", "chatgpt"):
            raise SystemExit(f"{c.slug}: {c.to} has no tool calls here")
        if c.to == "litellm" and c.nodes[-1].role != "assistant":
            raise SystemExit(f"{c.slug}: litellm logs answers only")
        key, row = writers[c.to](c)
        native[c.name] = key
        files.setdefault(file_of(c), []).append((c, row))

    shutil.rmtree(LOGS, ignore_errors=True)
    for name, entries in files.items():
        rows = [row for _, row in entries]
        if name.endswith(".json"):
            text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
        elif "damaged" in name:
            text = damage(rows)
            entries.pop()  # its last row is cut and cannot be read
        elif "litellm" in name:
            calls = sorted((r for rs in rows for r in rs), key=lambda r: (r["endTime"], r["id"]))
            text = "".join(line(r) + "\n" for r in calls)
        else:
            text = "".join(line(r) + "\n" for r in rows)
        write(LOGS / name, text)

    planted = []
    for name, entries in sorted(files.items()):
        for c, _ in entries:
            if c.planted:
                fact = {"id": native[c.name], "file": "logs/" + name, "name": c.slug, **c.planted}
                if "of" in fact:
                    original = fact["of"]
                    fact["of"] = native[original.name]
                    fact["of_file"] = "logs/" + file_of(original)
                if "lang" in c.keys:
                    fact["lang"] = c.keys["lang"]
                planted.append(fact)
    kinds = Counter(fact["kind"] for fact in planted)
    counts = {"logs/" + name: len(entries) for name, entries in sorted(files.items())}
    summary = {
        "conversations": sum(counts.values()),
        "files": counts,
        "kinds": dict(sorted(kinds.items())),
        "damaged": {
            "file": "logs/support-bot/2026-11-03-damaged.jsonl",
            "invalid_line": 3,
            "blank_line": 5,
            "bare_string_line": 6,
            "truncated_last_line": 8,
            "good_conversations": 4,
        },
        "planted": planted,
    }
    write(HERE / "planted.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    for name, count in counts.items():
        print(f"{count:4}  {name}")
    kinds_text = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    print(f"{sum(counts.values()):4}  in all; {kinds_text}")


if __name__ == "__main__":
    main()
