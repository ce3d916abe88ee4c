"""The mel spectrogram on which Resemblyzer's voice encoder was trained: librosa's, in numpy.

25 ms Hann windows every 10 ms at 16 kHz, power spectrum, 40 Slaney mel bands from 0 to 8 kHz,
no logarithm (resemblyzer/audio.py and hparams.py; librosa.feature.melspectrogram's defaults).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW = 400
HOP = 160
BANDS = 40

# Slaney's scale: linear to 1 kHz at 200/3 Hz a mel, then logarithmic, 27 steps to a factor 6.4.
_LINEAR_HZ = 200.0 / 3.0
_LOG_FROM_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def mel_spectrogram(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames x 40, for mono audio in -1..1. Frame n is centred on sample 160 n."""
    padded = np.pad(audio, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bands = []
    # In blocks: the spectrum of ten hours in one call would take gigabytes.
    for start in range(0, len(frames), 4096):
        spectrum = np.fft.rfft(frames[start : start + 4096] * hann)
        bands.append((np.abs(spectrum) ** 2 @ _filters().T).astype(np.float32))
    return np.concatenate(bands)


@cache
def _filters() -> NDArray[np.float64]:
    """40 x 201 triangular filters, each of unit area over its band."""
    bins = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1)
    edges = _to_hz(np.linspace(0.0, _to_mel(SAMPLE_RATE / 2), BANDS + 2))
    width = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / width[:-1, None]
    falling = ramps[2:] / width[1:, None]
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return filters * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def _to_mel(hz: float) -> float:
    """The mel of a frequency in the logarithmic part of the scale."""
    return float(_LOG_FROM_HZ / _LINEAR_HZ + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    log_from = _LOG_FROM_HZ / _LINEAR_HZ
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - log_from))
    return np.where(mel < log_from, mel * _LINEAR_HZ, logarithmic)
