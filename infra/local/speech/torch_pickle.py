"""Reads tensors from files in PyTorch's legacy format without PyTorch.

The format (torch/serialization.py, _legacy_save) is five pickles - a magic number, a protocol
version, system information, the saved object, the keys of its storages - followed by each
storage as an int64 count of elements and their raw bytes. Unpickling runs code that the file
names, so the reader allows only the three names that a plain tensor needs.
"""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class NotALegacyFile(ValueError):
    """The file is not in the legacy format, or needs more than plain float tensors."""


@dataclass(frozen=True, slots=True)
class _TensorRef:
    """A reference to a tensor whose storage is not read yet. Offset and stride count elements."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def load_tensors(file: Path, key: str) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of the dictionary that was saved under `key`. Raises NotALegacyFile."""
    with file.open("rb") as stream:
        try:
            header = [_unpickle(stream) for _ in range(3)]
            saved = _unpickle(stream)
            storage_keys = _unpickle(stream)
        except (pickle.UnpicklingError, EOFError) as error:
            raise NotALegacyFile(f"{file}: {error}") from error
        if header[0] != _MAGIC or header[1] != _PROTOCOL:
            raise NotALegacyFile(f"{file}: another magic number or protocol version")
        storages = {name: _read_storage(stream) for name in storage_keys}
    return {
        name: _view(ref, storages[ref.storage])
        for name, ref in saved[key].items()
        if isinstance(ref, _TensorRef)
    }


class _FloatStorage:
    """A stub for torch.FloatStorage, which the file names as the type of every storage."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch", "FloatStorage"): _FloatStorage,
        }
        try:
            return allowed[module, name]
        except KeyError as refused:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from refused

    def persistent_load(self, pid: Any) -> str:
        """Return the key of a storage: ("storage", type, key, device, element count, view)."""
        if pid[0] != "storage" or pid[1] is not _FloatStorage or pid[5] is not None:
            raise pickle.UnpicklingError("only plain float storages are allowed")
        return str(pid[2])


def _unpickle(stream: BinaryIO) -> Any:
    return _Unpickler(stream).load()


def _rebuild_tensor(
    storage: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _TensorRef:
    return _TensorRef(storage, offset, shape, stride)


def _read_storage(stream: BinaryIO) -> NDArray[np.float32]:
    count = int.from_bytes(stream.read(8), "little")
    return np.frombuffer(stream.read(4 * count), dtype="<f4")


def _view(ref: _TensorRef, storage: NDArray[np.float32]) -> NDArray[np.float32]:
    strides = tuple(4 * step for step in ref.stride)
    view = np.lib.stride_tricks.as_strided(storage[ref.offset :], ref.shape, strides)
    return np.ascontiguousarray(view)
