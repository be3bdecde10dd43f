"""Which failures of a task pass by themselves, and how often such a task is tried again."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas import State

from corpus.forge import ForgeRefused
from schemas.errors import CorpusError, JudgeError


def is_passing(task: Any, run: Any, state: State) -> bool:
    """Whether trying again may help: the network or the disk, never wrong data or settings."""
    try:
        state.result()
    except ForgeRefused:
        return False
    except (CorpusError, JudgeError, OSError):
        return True
    except Exception:  # not passing: the flow raises it as it is
        return False
    return False


RETRIED: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_passing,
}
