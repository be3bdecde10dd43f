"""What a conversation is about, as a point: the unit vector of a sentence model, in a form that fits into a table.

Written as `<model>:<base64>`, a signed byte a number. Only vectors of one model can be compared, so its name is part of
it. Rounding moves the cosine of two by less than 0.01 (a byte of the largest of 384 numbers).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FORM = re.compile(r"[0-9a-f]{8}:[A-Za-z0-9+/]{4,8192}={0,2}")


def packed(model_digest: str, vector: NDArray[np.float32]) -> str:
    """The text form of a vector of a model; empty for a vector of zeros, which is about nothing."""
    largest = float(np.abs(vector).max(initial=0.0))
    if not largest:
        return ""
    numbers = np.rint(vector * (127 / largest)).astype(np.int8)
    return f"{model_digest[:8]}:{base64.b64encode(numbers.tobytes()).decode()}"


def is_packed(text: object) -> bool:
    """Whether a value has the form that `packed` gives."""
    return text == "" or (isinstance(text, str) and _FORM.fullmatch(text) is not None)


def model_of(text: str) -> str:
    """Which model's vector it is; empty where there is none."""
    return text.partition(":")[0]


def unpacked(texts: Sequence[str]) -> NDArray[np.float32]:
    """The unit vectors of texts of one model, shape (texts, width)."""
    rows = [np.frombuffer(base64.b64decode(text.partition(":")[2]), np.int8) for text in texts]
    vectors = np.stack(rows).astype(np.float32) if rows else np.zeros((0, 0), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
