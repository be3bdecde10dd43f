"""Embeddings made by hand: directions in the plane, so that the cosine of two is that of their angle."""

import json
import math

import numpy as np

from schemas.embedding import packed

MODEL = "0123456789abcdef"


def pointing(degrees, *, model=MODEL):
    """The packed embedding in a direction; nothing else is near it than what points there."""
    angle = math.radians(degrees)
    return packed(model, np.array([math.cos(angle), math.sin(angle), 0.0], np.float32))


def about(one, degrees, *, model=MODEL):
    """A row whose verdict points in a direction."""
    verdict = {**json.loads(one["verdict"]), "embedding": pointing(degrees, model=model)}
    return {**one, "verdict": json.dumps(verdict)}
