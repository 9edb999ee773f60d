"""Sentence vectors from a BERT-like encoder.

Letters: n texts, b texts of a batch, l tokens of its longest text, E size of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from chronotope.config import EmbedSettings
from chronotope.embed.weights import model_folder, model_name
from chronotope.errors import DeviceError

Floats = npt.NDArray[np.float32]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# Far above what a token takes in any script (4 to 5 characters in English): only padding and noise is ever cut.
MAX_CHARS_PER_TOKEN = 64


@dataclass(frozen=True, eq=False)
class Encoder:
    """A tokenizer and a model on a device."""

    tokenizer: Any
    model: torch.nn.Module
    device: str
    batch_size: int
    max_tokens: int
    dim: int  # E

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of texts, [n, E], in the order given: means of the last layer's token vectors.

        As in Reimers and Gurevych, "Sentence-BERT" (2019), section 3: mean pooling over the real tokens, the special
        ones included, then L2 norm 1. Texts are cut to `max_tokens`. Batches hold texts of similar length, longest
        first, and are padded to their longest, so which texts come together changes a vector by rounding only. The
        empty text has the vector of its special tokens; no texts give [0, E].
        """
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        tokens = self.tokenize(texts)
        # Stable: texts of equal length stay in the order given, so the same texts make the same batches.
        order = np.argsort([-len(ids) for ids in tokens], kind="stable")
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        # Vectors stay on the device until the end: fetching each batch would make a GPU wait.
        vectors = torch.cat([self.forward([tokens[i] for i in batch]) for batch in batches])
        encoded = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
        encoded[order] = vectors.cpu().numpy()
        return encoded

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with the special tokens, `max_tokens` at most."""
        # Tokenizers read a text to its end before they cut it, a megabyte too.
        short = [text[: max_chars(self.max_tokens)] for text in texts]
        found = self.tokenizer(
            short,
            truncation=True,
            max_length=self.max_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        tokens: list[list[int]] = found["input_ids"]
        return tokens

    @torch.inference_mode()
    def forward(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Unit vectors of one batch, [b, E], in fp32 on the encoder's device."""
        longest = max(map(len, tokens))
        ids = np.full((len(tokens), longest), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        real = np.zeros_like(ids)
        for row, of_text in enumerate(tokens):
            ids[row, : len(of_text)] = of_text
            real[row, : len(of_text)] = 1
        input_ids = torch.from_numpy(ids).to(self.device)  # [b, l]
        mask = torch.from_numpy(real).to(self.device)  # [b, l], 1 where a token is real
        hidden = self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state.float()  # [b, l, E]
        summed = (hidden * mask.unsqueeze(-1)).sum(dim=1)  # [b, E]; its length is lost in the norm, the mean's too
        return functional.normalize(summed, dim=1)


def max_chars(max_tokens: int) -> int:
    """The characters of a text that can matter for `max_tokens` tokens."""
    return MAX_CHARS_PER_TOKEN * max_tokens


@cache
def load_encoder(settings: EmbedSettings, device: str) -> Encoder:
    """The encoder of these settings on a device such as `cpu` or `cuda:0`, loaded once per process.

    Weights are checked (see `model_name`), and with bf16 the weights themselves are bfloat16; pooling is in fp32.

    Raises:
        ModelError: as in `model_name`.
        DeviceError: when the GPU cannot compute in bf16.

    """
    if settings.precision == "bf16" and device.startswith("cuda") and not torch.cuda.is_bf16_supported():
        raise DeviceError(f"embed.precision = bf16: {device} cannot compute in it; set embed.precision=fp32")
    model_name(settings)
    folder = model_folder(settings)
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    model = model.to(device=device, dtype=DTYPES[settings.precision]).eval()
    return Encoder(tokenizer, model, device, settings.batch_size, settings.max_tokens, model.config.hidden_size)
