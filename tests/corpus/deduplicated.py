"""Small nights of made-up chats, deduplicated."""

import random
from pathlib import Path

from hypothesis import strategies as st

from corpus.dedupe import deduplicate
from corpus.stage import StageWriter, read_rows, rejects_path
from schemas.conversation import Turn, content_id
from schemas.settings import DedupeSettings
from schemas.tables import SCREENED

SETTINGS = DedupeSettings()


def prose(seed: int, n_words: int) -> str:
    """Words that no other seed says, so that similarity is what a test plants."""
    rng = random.Random(seed)
    return " ".join(f"word{rng.randrange(10**7)}" for _ in range(n_words))


def chat(*contents: str, system: str | None = None) -> list[Turn]:
    roles = ("user", "assistant") * len(contents)
    turns = [Turn(role, content) for role, content in zip(roles, contents, strict=False)]
    return [Turn("system", system), *turns] if system else turns


def write(path: Path, conversations: dict[str, list[Turn]]) -> Path:
    with StageWriter(path, SCREENED) as writer:
        for conversation_id, turns in conversations.items():
            writer.write(
                {
                    "conversation_id": conversation_id,
                    "source": "bot",
                    "system": "sharegpt",
                    "native_id": f"native-{conversation_id}",
                    "n_messages": len(turns),
                    "n_branches": 1,
                    "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
                    "tree": "{}",
                    "content_id": content_id(turns),
                    "n_words": sum(len(turn.content.split()) for turn in turns),
                    "redactions": "{}",
                }
            )
    return path


class Night:
    """What a night gave: kept ids, and by dropped id (reason, evidence)."""

    def __init__(self, folder: Path, conversations: dict[str, list[Turn]], **options):
        self.output = folder / "distinct.parquet"
        source = write(folder / "screened.parquet", conversations)
        self.report = deduplicate(source, self.output, options.pop("settings", SETTINGS), **options)
        self.rows = {row["conversation_id"]: row for row in read_rows(self.output)}
        self.kept = list(self.rows)
        rejected = read_rows(rejects_path(self.output))
        self.dropped = {row["conversation_id"]: (row["reason"], row["evidence"]) for row in rejected}

    def bytes(self) -> tuple[bytes, bytes]:
        return self.output.read_bytes(), rejects_path(self.output).read_bytes()


_TEXTS = [prose(number, 40) for number in range(3)]

_PHRASES = st.sampled_from(
    [*_TEXTS, *(text + " more" for text in _TEXTS), *(text[:150] for text in _TEXTS), "Yes.", "no", "😀", ""]
)

_CHATS = st.lists(_PHRASES, min_size=1, max_size=4).flatmap(
    lambda said: st.sampled_from([None, "Be kind."]).map(lambda system: chat(*said, system=system))
)

_NIGHTS = st.lists(_CHATS, max_size=12).map(lambda chats: {f"{n:02}": turns for n, turns in enumerate(chats)})
