"""Computes voice embeddings with Resemblyzer's encoder, a three-layer LSTM, in numpy.

The dot product of two passages' vectors is high if both have the same voice, and lower otherwise.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from infra.local.speech.torch_pickle import load_tensors

Floats = NDArray[np.float32]

FRAMES = 160  # 1.6 s of 10 ms frames, as in the encoder's training
LAYERS = 3
_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer's weights, transposed for row vectors; gate order: input, forget, cell, output."""

    from_input: Floats
    from_hidden: Floats
    bias: Floats


class VoiceEncoder:
    """Embeds windows of a mel spectrogram."""

    def __init__(self, layers: list[_Layer], project: Floats, project_bias: Floats) -> None:
        self._layers = layers
        self._project = project
        self._project_bias = project_bias

    @classmethod
    def load(cls, file: Path) -> Self:
        """Load the encoder's weights from a file. Raises NotALegacyFile."""
        tensors = load_tensors(file, "model_state")
        layers = [
            _Layer(
                np.ascontiguousarray(tensors[f"lstm.weight_ih_l{n}"].T),
                np.ascontiguousarray(tensors[f"lstm.weight_hh_l{n}"].T),
                tensors[f"lstm.bias_ih_l{n}"] + tensors[f"lstm.bias_hh_l{n}"],
            )
            for n in range(LAYERS)
        ]
        return cls(layers, tensors["linear.weight"].T, tensors["linear.bias"])

    def embed(self, windows: Floats) -> Floats:
        """Map count x frames x 40 to count x 256; rows have length 1, or 0 without activation."""
        batches = [
            self._embed(windows[start : start + _BATCH]) for start in range(0, len(windows), _BATCH)
        ]
        return np.concatenate(batches) if batches else np.empty((0, 256), np.float32)

    def _embed(self, windows: Floats) -> Floats:
        sequence = np.ascontiguousarray(windows.transpose(1, 0, 2))
        for layer in self._layers:
            sequence = _run(layer, sequence)
        raw = np.maximum(sequence[-1] @ self._project + self._project_bias, 0.0)
        return unit(raw)


def unit(vectors: Floats) -> Floats:
    """Scale each row to length 1; a row of zeros is unchanged."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(length, 1e-9)).astype(np.float32)
    return scaled


def _run(layer: _Layer, sequence: Floats) -> Floats:
    """Map steps x count x inputs to steps x count x 256, the hidden state after each step."""
    steps, count, _ = sequence.shape
    size = layer.from_hidden.shape[0]
    hidden = np.zeros((count, size), np.float32)
    cell = np.zeros((count, size), np.float32)
    outputs = np.empty((steps, count, size), np.float32)
    for step in range(steps):
        gates = sequence[step] @ layer.from_input + hidden @ layer.from_hidden + layer.bias
        take, keep, output = (_sigmoid(gates[:, n * size : (n + 1) * size]) for n in (0, 1, 3))
        cell = keep * cell + take * np.tanh(gates[:, 2 * size : 3 * size])
        hidden = output * np.tanh(cell)
        outputs[step] = hidden
    return outputs


def _sigmoid(values: Floats) -> Floats:
    # The sigmoid is computed with tanh, because exp would overflow for large negative gates.
    result: Floats = 0.5 * np.tanh(0.5 * values) + 0.5
    return result
