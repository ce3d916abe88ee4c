"""Computes, in numpy, the mel spectrogram with which Resemblyzer's voice encoder was trained.

It is librosa's: 25 ms Hann windows every 10 ms at 16 kHz, power spectrum, 40 Slaney mel bands from
0 to 8 kHz, no logarithm. Sources: resemblyzer/audio.py and hparams.py, and the defaults of
librosa.feature.melspectrogram.
"""

from functools import cache

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW = 400
HOP = 160
BANDS = 40


def mel_spectrogram(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return frames x 40 for mono audio in -1..1. Frame n is centred on sample 160 n."""
    padded = np.pad(audio, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bands = []
    # Computed in blocks, because the spectrum of ten hours in one call would take gigabytes.
    for start in range(0, len(frames), 4096):
        spectrum = np.fft.rfft(frames[start : start + 4096] * hann)
        bands.append((np.abs(spectrum) ** 2 @ _filters().T).astype(np.float32))
    return np.concatenate(bands)


@cache
def _filters() -> NDArray[np.float64]:
    """Return 40 x 201 triangular filters; each filter has unit area over its band."""
    filters: NDArray[np.float64] = FeatureExtractor.get_mel_filters(SAMPLE_RATE, WINDOW, BANDS)
    return filters
