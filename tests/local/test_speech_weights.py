"""Model weights are found in the documented order and refused if their hash is unexpected."""

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from infra.local.speech import weights
from infra.local.speech.torch_pickle import NotALegacyFile, load_tensors
from infra.local.speech.weights import WeightsError


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WHISPER_MODEL_DIR", "VOICE_ENCODER_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LUMIMD_CACHE_DIR", str(tmp_path / "cache"))


class TestWhisper:
    @pytest.fixture
    def packages(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """Two small stub packages of weights; the expected hashes are set to those of the stubs."""
        files = {"config.json": b"c", "tokenizer.json": b"t", "vocabulary.txt": b"v"}
        for name in weights.WHISPER_PACKAGES:
            (tmp_path / name / "data").mkdir(parents=True)
        first, second = (tmp_path / name / "data" for name in weights.WHISPER_PACKAGES)
        for name, content in files.items():
            (first / name).write_bytes(content)
        (first / "model.bin.part1").write_bytes(b"one")
        (second / "model.bin.part2").write_bytes(b"two")
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        hashes["model.bin"] = hashlib.sha256(b"onetwo").hexdigest()
        monkeypatch.setattr(weights, "WHISPER_SHA256", hashes)
        monkeypatch.setattr(weights, "_package_folder", lambda name: tmp_path / name)
        return tmp_path

    def test_weights_in_the_folder_of_the_user_precede_those_of_the_packages(
        self, packages, monkeypatch, tmp_path
    ):
        own = tmp_path / "own"
        own.mkdir()
        monkeypatch.setenv("WHISPER_MODEL_DIR", str(own))
        with pytest.raises(WeightsError, match=r"holds no model\.bin"):
            weights.whisper_model()
        (own / "model.bin").touch()
        assert weights.whisper_model() == own

    def test_a_model_is_assembled_once_from_the_parts_in_the_packages(self, packages):
        folder = weights.whisper_model()
        assert (folder / "model.bin").read_bytes() == b"onetwo"
        assert folder.parent == packages / "cache"
        (packages / weights.WHISPER_PACKAGES[0] / "data" / "model.bin.part1").unlink()
        assert weights.whisper_model() == folder

    def test_weight_parts_with_an_unexpected_hash_are_refused(self, packages):
        part = packages / weights.WHISPER_PACKAGES[1] / "data" / "model.bin.part2"
        part.write_bytes(b"evil")
        with pytest.raises(WeightsError, match="Refusing"):
            weights.whisper_model()
        assert list((packages / "cache").iterdir()) == []

    def test_the_hash_of_a_cached_model_is_checked_at_each_use(self, packages):
        (weights.whisper_model() / "model.bin").write_bytes(b"evil")
        with pytest.raises(WeightsError, match="Refusing"):
            weights.whisper_model()


class TestVoiceEncoder:
    def test_a_weights_file_with_an_unexpected_hash_is_refused(self, monkeypatch, tmp_path):
        file = tmp_path / "encoder.pt"
        file.write_bytes(b"evil")
        monkeypatch.setenv("VOICE_ENCODER_FILE", str(file))
        with pytest.raises(WeightsError, match="Refusing"):
            weights.voice_encoder()

    def test_missing_weights_are_reported(self, monkeypatch):
        monkeypatch.setattr(weights, "_package_folder", lambda name: None)
        with pytest.raises(WeightsError, match="Resemblyzer"):
            weights.voice_encoder()


class TestLegacyFormat:
    """Tests with files built by hand in the format of torch's _legacy_save."""

    MAGIC = 0x1950A86A20F9469CFC6C
    # {"model_state": {"w": _rebuild_tensor_v2(storage "7", offset 1, (2, 2), strides (1, 2))}}
    SAVED = (
        b"\x80\x02}X\x0b\x00\x00\x00model_state}X\x01\x00\x00\x00w"
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007"
        b"X\x03\x00\x00\x00cpuK\x05NtQK\x01K\x02K\x02\x86K\x01K\x02\x86tRss."
    )

    def written(self, folder: Path, saved: bytes, magic: int = MAGIC) -> Path:
        header = [pickle.dumps(part, protocol=2) for part in (magic, 1001, {})]
        keys = pickle.dumps(["7"], protocol=2)
        storage = struct.pack("<q5f", 5, 0, 1, 2, 3, 4)
        file = folder / "weights.pt"
        file.write_bytes(b"".join([*header, saved, keys, storage]))
        return file

    def test_a_tensor_keeps_its_offset_and_strides(self, tmp_path):
        tensors = load_tensors(self.written(tmp_path, self.SAVED), "model_state")
        np.testing.assert_array_equal(tensors["w"], [[1, 3], [2, 4]])

    def test_a_pickle_that_names_any_other_function_is_refused(self, tmp_path):
        with pytest.raises(NotALegacyFile, match=r"posix\.system is not allowed"):
            load_tensors(self.written(tmp_path, b"cposix\nsystem\n(S'true'\ntR."), "model_state")

    def test_a_file_without_the_magic_number_is_refused(self, tmp_path):
        with pytest.raises(NotALegacyFile, match="magic"):
            load_tensors(self.written(tmp_path, self.SAVED, magic=1), "model_state")
