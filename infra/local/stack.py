"""Plans the local stack as a list of processes, with a stand-in for every cloud service.

| cloud            | here                                               |
|------------------|----------------------------------------------------|
| Firestore        | Google's emulator                                  |
| Cloud Storage    | fake-gcs-server                                    |
| Firebase Storage | `infra.local.firebase_storage`, in front of it     |
| Eventarc         | the Pub/Sub emulator and `infra.local.eventarc`    |
| Cloud Tasks      | `infra.local.cloud_tasks`                          |
| Cloud Scheduler  | `infra.local.scheduler`                            |
| AssemblyAI       | `infra.local.speech`; AssemblyAI if a key is set   |
| OpenAI           | the rules; OpenAI if a key is set                  |
| functions        | functions-framework, one process per entry point   |
"""

import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.local.emulators import (
    EmulatorMissing,
    fake_gcs_command,
    firestore_command,
    pubsub_command,
)
from infra.local.supervision.ports import LOOPBACK, free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import http_ok, port_open

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = "demo-lumimd"
BUCKET: Final = "lumimd-recordings"
TOPIC: Final = "storage-events"
QUEUE: Final = f"projects/{PROJECT}/locations/us-central1/queues/summaries"
SERVICE_ACCOUNT: Final = f"pipeline@{PROJECT}.iam.gserviceaccount.com"

ENTRY_POINTS: Final = (
    "on_audio_finalized",
    "on_transcription_webhook",
    "wake_due_visits",
    "summarize_visit",
    "enforce_retention",
    "api",
)

PREFERRED_PORTS: Final = {
    "storage": 4443,
    "on_audio_finalized": 8081,
    "on_transcription_webhook": 8082,
    "wake_due_visits": 8083,
    "summarize_visit": 8084,
    "api": 8085,
    "enforce_retention": 8086,
    "tasks": 8123,
    "scheduler": 8124,
    "eventarc": 8125,
    "speech": 8126,
    "firestore": 8580,
    "pubsub": 8785,
    "firebase_storage": 9199,
}

WEB_ORIGINS: Final = ",".join(
    f"http://{host}:{port}"
    for host in ("localhost", LOOPBACK)
    for port in (3000, 4173, 5000, 5173, 8080)
)
"""The origins of web pages that may call the local stack: the usual development servers (Vite,
Firebase Hosting, webpack, Next.js). WEB_ORIGINS in the environment replaces these origins."""


@dataclass(frozen=True)
class Options:
    """The options of a stack.

    With `in_memory` the launcher keeps the visits in its memory and serves the functions itself, so
    that no process needs Java. `poll_every_s` replaces the scheduler's interval of a minute.
    `webhook_retry_s` is the pause before the speech server repeats a webhook.
    """

    in_memory: bool = False
    scripted: bool = False
    webhooks: bool = True
    poll_every_s: float = 2.0
    webhook_retry_s: float = 10.0
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def real_speech(self) -> bool:
        """Whether the real AssemblyAI transcribes, and not the local speech server."""
        return bool(self.env.get("ASSEMBLYAI_API_KEY")) and not self.scripted

    @property
    def real_model(self) -> bool:
        """Whether a language model summarizes, and not the rules."""
        return bool(self.env.get("OPENAI_API_KEY"))


@dataclass(frozen=True)
class Plan:
    """The processes in the order of their start, and the environment of the functions."""

    processes: list[Process]
    ports: Mapping[str, int]
    function_env: Mapping[str, str]

    def url(self, name: str) -> str:
        """Return the URL of a process of the stack."""
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def function_url(self, entry_point: str) -> str:
        """Return the URL of an entry point; the API's routes are below the API's URL."""
        return _function_url(self.ports, entry_point)


def can_emulate(env: Mapping[str, str]) -> EmulatorMissing | None:
    """Return None if Google's emulators can run here, else an error with the missing program."""
    try:
        firestore_command(port=1, project=PROJECT, env=env)
        pubsub_command(port=1, env=env)
    except EmulatorMissing as missing:
        return missing
    return None


def plan(options: Options) -> Plan:
    """Plan the stack that `options` describe.

    Raises:
        EmulatorMissing: a program of the stack is not on this machine.
    """
    ports = free_ports(PREFERRED_PORTS)
    if options.in_memory:
        # One process serves all entry points, so that they share its memory.
        ports |= dict.fromkeys(ENTRY_POINTS, ports["on_audio_finalized"])
    env = _function_env(ports, options)
    processes = [_storage(ports, options), _firebase_storage(ports, env), _tasks(ports)]
    if not options.real_speech:
        processes.append(_speech(ports, options))
    if not options.in_memory:
        processes = [_firestore(ports, options), _pubsub(ports, options), *processes]
        processes += [_function(name, ports, env) for name in ENTRY_POINTS]
        processes.append(_eventarc(ports))
    processes.append(_scheduler(ports, options))
    return Plan(processes, ports, env)


def _function_env(ports: Mapping[str, int], options: Options) -> dict[str, str]:
    env = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        # A developer uploads more recordings in a day than the product's free tier allows.
        "DEFAULT_TIER": "paid",
        "FIRESTORE_EMULATOR_HOST": f"{LOOPBACK}:{ports['firestore']}",
        "AUDIO_BUCKET": BUCKET,
        # With this secret a client can sign in to this stack as any user, until the stack ends.
        "LOCAL_TOKEN_SECRET": secrets.token_urlsafe(32),
        "STORAGE_EMULATOR_HOST": f"http://{LOOPBACK}:{ports['storage']}",
        "CLOUD_TASKS_EMULATOR_HOST": f"{LOOPBACK}:{ports['tasks']}",
        "CLOUD_SCHEDULER_EMULATOR_HOST": f"{LOOPBACK}:{ports['scheduler']}",
        "SUMMARY_QUEUE": QUEUE,
        "SUMMARIZE_URL": _function_url(ports, "summarize_visit"),
        "TASKS_SERVICE_ACCOUNT": SERVICE_ACCOUNT,
        "WEBHOOK_SECRET": secrets.token_urlsafe(24),
        "WEB_ORIGINS": options.env.get("WEB_ORIGINS") or WEB_ORIGINS,
        "SUMMARIZER": "openai" if options.real_model else "rules",
    }
    if options.real_speech:
        # The real provider can reach neither the bucket nor the webhook on this machine.
        env |= {"AUDIO_HANDOVER": "upload", "WEBHOOK_URL": ""}
    else:
        env |= {
            "ASSEMBLYAI_API_KEY": "local",
            "ASSEMBLYAI_BASE_URL": f"http://{LOOPBACK}:{ports['speech']}",
            "WEBHOOK_URL": (
                _function_url(ports, "on_transcription_webhook") if options.webhooks else ""
            ),
        }
    return env


def _function_url(ports: Mapping[str, int], entry_point: str) -> str:
    path = "v1" if entry_point == "api" else entry_point
    return f"http://{LOOPBACK}:{ports[entry_point]}/{path}"


def _firestore(ports: Mapping[str, int], options: Options) -> Process:
    port, rules = ports["firestore"], ROOT / "firestore.rules"
    argv = firestore_command(port=port, project=PROJECT, env=options.env, rules=rules)
    return _process("firestore", argv, port, health="/")


def _pubsub(ports: Mapping[str, int], options: Options) -> Process:
    port = ports["pubsub"]
    return _process("pubsub", pubsub_command(port=port, env=options.env), port)


def _storage(ports: Mapping[str, int], options: Options) -> Process:
    port = ports["storage"]
    events = {} if options.in_memory else {"pubsub_project": PROJECT, "pubsub_topic": TOPIC}
    return _process(
        "storage",
        fake_gcs_command(port=port, env=options.env, **events),
        port,
        env={} if options.in_memory else {"PUBSUB_EMULATOR_HOST": f"{LOOPBACK}:{ports['pubsub']}"},
        after=() if options.in_memory else ("pubsub",),
        health="/storage/v1/b",
    )


def _firebase_storage(ports: Mapping[str, int], env: Mapping[str, str]) -> Process:
    return _stand_in(
        "firebase_storage",
        ports["firebase_storage"],
        *("--storage", f"http://{LOOPBACK}:{ports['storage']}"),
        *("--bucket", BUCKET, "--origins", env["WEB_ORIGINS"]),
        after=("storage",),
        health="/healthz",
    )


def _tasks(ports: Mapping[str, int]) -> Process:
    port = ports["tasks"]
    url = f"grpc://{LOOPBACK}:{port}"
    return _stand_in("tasks", port, "--queue", QUEUE, module="cloud_tasks", url=url)


def _speech(ports: Mapping[str, int], options: Options) -> Process:
    scripted = ("--scripted",) if options.scripted else ()
    return _stand_in(
        "speech",
        ports["speech"],
        *("--webhook-retry-s", options.webhook_retry_s, *scripted),
        health="/_local/health",
        ready_timeout_s=180,  # the first start assembles the model's weights
    )


def _function(entry_point: str, ports: Mapping[str, int], env: Mapping[str, str]) -> Process:
    port = ports[entry_point]
    framework = Path(sys.executable).with_name("functions-framework")
    source = ROOT / "functions" / "main.py"
    return _process(
        entry_point,
        (
            framework,
            "--target",
            entry_point,
            "--source",
            source,
            "--host",
            LOOPBACK,
            "--port",
            port,
        ),
        port,
        env=env,
        cwd=ROOT,
        after=("firestore", "tasks"),
        url=_function_url(ports, entry_point),
        grace_s=10,  # as Cloud Run
    )


def _eventarc(ports: Mapping[str, int]) -> Process:
    return _stand_in(
        "eventarc",
        ports["eventarc"],
        *("--pubsub", f"{LOOPBACK}:{ports['pubsub']}", "--project", PROJECT, "--topic", TOPIC),
        *("--target", _function_url(ports, "on_audio_finalized")),
        after=("pubsub", "on_audio_finalized"),
        health="/healthz",
    )


def _scheduler(ports: Mapping[str, int], options: Options) -> Process:
    port = ports["scheduler"]
    return _stand_in(
        "scheduler",
        port,
        *("--every", options.poll_every_s),
        *("--job", f"wake-due-visits={_function_url(ports, 'wake_due_visits')}"),
        *("--hourly-job", f"enforce-retention={_function_url(ports, 'enforce_retention')}"),
        after=() if options.in_memory else ("wake_due_visits",),
        url=f"grpc://{LOOPBACK}:{port}",
    )


def _stand_in(
    name: str, port: int, *arguments: object, module: str | None = None, **more: Any
) -> Process:
    """Define the process of a stand-in; by default its module in this package is called `name`."""
    command = (sys.executable, "-m", f"infra.local.{module or name}", "--port", port)
    return _process(name, (*command, *arguments), port, cwd=ROOT, **more)


def _process(
    name: str, argv: Iterable[object], port: int, *, health: str | None = None, **more: Any
) -> Process:
    """Define a process, ready when it responds at `health`, or without `health` when it listens."""
    url = f"http://{LOOPBACK}:{port}"
    ready = port_open(port) if health is None else http_ok(url + health)
    fields = {"after": (), "url": url} | more
    return Process(name=name, argv=tuple(map(str, argv)), ready=ready, **fields)
