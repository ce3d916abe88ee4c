"""Decodes an upload with only those FFmpeg demuxers that read recordings.

FFmpeg can also read a text file as a playlist, a session description or a list of files, and then
opens the sockets, URLs and local files that the text names. To prevent that, the decoder opens only
the containers that the pipeline accepts, and no file besides the upload.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,mp3,aac,flac,wav,w64,aiff,caf,amr,tta"
NO_PROTOCOL = "none"
AT_ONCE = 500_000
"""The number of samples that one call of the resampler gets."""


def samples_of(file: Path, rate: int) -> NDArray[np.float32]:
    """Decode mono samples in -1..1. Raises FFmpegError, or IndexError for a file without sound."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": NO_PROTOCOL}
    with (
        file.open("rb") as stream,
        av.open(stream, mode="r", metadata_errors="ignore", options=options) as container,
    ):
        frames = chain(_grouped(_readable(container.decode(audio=0))), [None])
        parts = [part.to_ndarray() for frame in frames for part in resampler.resample(frame)]
    if not parts:
        return np.zeros(0, np.float32)
    samples: NDArray[np.int16] = np.concatenate(parts, axis=1)[0]
    return samples.astype(np.float32) / np.float32(32_768)


def _readable(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Yield the frames, and skip damaged frames."""
    while True:
        try:
            yield next(frames)
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue


def _grouped(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    waiting = av.AudioFifo()
    for frame in frames:
        frame.pts = None  # gaps between frames do not matter
        waiting.write(frame)
        if waiting.samples >= AT_ONCE and (group := waiting.read()) is not None:
            yield group
    if (rest := waiting.read()) is not None:
        yield rest
