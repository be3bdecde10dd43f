"""What a conversation is about, as a point: the unit vector of a sentence model, in a form that fits into a table.

Written as `<model>.<width>:<base64>`, a signed byte a number. Only vectors of one model and width can be compared, so
both are in the name before the colon. Rounding moved the cosine of two by 0.004 at most (400 pairs of 384 numbers).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InputError

_FORM = re.compile(r"([0-9a-f]{8}\.([1-9][0-9]{0,3})):((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)")


def packed(model_digest: str, vector: NDArray[np.float32]) -> str:
    """The text form of a vector of a model; empty for a vector of zeros, which is about nothing.

    Raises:
        ValueError: a number is infinite or none.
    """
    largest = float(np.abs(vector).max(initial=0.0))
    if not np.isfinite(largest):
        raise ValueError("the sentence model gave a vector with numbers that are none")
    if not largest:
        return ""
    numbers = np.rint(vector * (127 / largest)).astype(np.int8)
    return f"{model_digest[:8]}.{len(numbers)}:{base64.b64encode(numbers.tobytes()).decode()}"


def checked(text: object) -> str:
    """An embedding that was read from a file; empty where there is none.

    Raises:
        InputError: `packed` did not write it.
    """
    if text == "":
        return ""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    numbers = base64.b64decode(found[3]) if found else b""
    if found is None or len(numbers) != int(found[2]) or not any(numbers):
        raise InputError(f"{text!r:.40} is no embedding; it was not written by Gristmill")
    return str(text)


def model_of(text: str) -> str:
    """Of which model and width it is; empty where there is none."""
    return text.partition(":")[0]


def numbers_of(text: str) -> bytes:
    """The bytes of a checked embedding."""
    return base64.b64decode(text.partition(":")[2])


def unit_vectors(numbers: Sequence[bytes]) -> NDArray[np.float32]:
    """The unit vectors of embeddings of one model, shape (embeddings, width), from their bytes."""
    rows = np.stack([np.frombuffer(one, np.int8) for one in numbers]).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
