"""Connects a command to the services of the local stack or of a cloud project."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from infra.ops.local_stack import Addresses
from lumimd.operations.operator import OperatorServices
from lumimd.policies.deployment import Policy
from lumimd.ports.health_check import Check
from lumimd.ports.task_queue import TaskQueue
from lumimd.runtime import providers
from lumimd.runtime.api import ApiCloudServices
from lumimd.runtime.checks import service_checks
from lumimd.runtime.settings import Choice, Deployment, Settings, SettingsError, read


class NeedsSetting(Exception):
    """The command needs a deployment setting that is missing from the environment."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This needs {name.upper()} of the deployment in the environment (see .env.example)."
        )


@dataclass(frozen=True)
class Connection:
    """The services, the name of the stack or project, and problems found in the configuration."""

    services: OperatorServices
    where: str
    configuration: Sequence[str]


def local(addresses: Addresses) -> Connection:
    """Connect to a stack on this machine, with the environment of the stack's functions."""
    os.environ.update(addresses.env)
    return Connection(ApiCloudServices(read()), f"local stack {addresses.run}", ())


def cloud(project: str, region: str) -> Connection:
    """Connect to a cloud project with application default credentials.

    If the environment has the deployment's settings, every command works. Otherwise commands that
    need a provider's key are refused, and all other commands work, because they need only
    Firestore, Cloud Tasks and Cloud Scheduler.
    """
    os.environ["GOOGLE_CLOUD_PROJECT"] = project
    try:
        return Connection(ApiCloudServices(read()), f"project {project}", ())
    except SettingsError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
    location = f"projects/{project}/locations/{region}"
    known: dict[str, Any] = {
        "google_cloud_project": project,
        "summary_queue": f"{location}/queues/summaries",
        # The name of the bucket in terraform/storage.tf.
        "audio_bucket": os.environ.get("AUDIO_BUCKET") or f"{project}-recordings",
        "audio_handover": "signed_url",  # unused: operators send no recording to a provider
        "storage_emulator_host": os.environ.get("STORAGE_EMULATOR_HOST") or None,
        "cloud_tasks_emulator_host": os.environ.get("CLOUD_TASKS_EMULATOR_HOST") or None,
        "cloud_scheduler_emulator_host": os.environ.get("CLOUD_SCHEDULER_EMULATOR_HOST") or None,
    }
    partial = Deployment(
        PartialSettings.model_construct(**known),
        _provider("transcriber"),
        _provider("summarizer"),
    )
    services = OperatorsServices(partial)
    return Connection(services, f"project {project}", problems)


class PartialSettings(Settings):
    """Settings of which some are unknown; reading an unknown setting raises NeedsSetting."""

    def __getattr__(self, name: str) -> Any:
        if name in type(self).model_fields:
            raise NeedsSetting(name)
        raise AttributeError(name)


class UnknownProvider:
    """A stand-in for a provider with a missing or invalid variable; any use raises NeedsSetting."""

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def __getattr__(self, name: str) -> Any:
        raise NeedsSetting(self._variable)


def _provider(kind: str) -> Any:
    try:
        vendor = providers.load(kind, getattr(Choice(), kind))
        return vendor and vendor()
    except ValidationError as error:
        return UnknownProvider(str(error.errors()[0]["loc"][0]))
    except ValueError:
        return UnknownProvider(kind)


class NullTaskQueue:
    """A task queue that creates no task: the poller finds the due visit and creates the task.

    So an operator needs no permission to create tasks as the pipeline's service account.
    """

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Do nothing; `wake_at` makes the visit due."""

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Do nothing: a task contains only ids, and has no effect once its visit is deleted."""
        return False


class OperatorsServices(ApiCloudServices):
    """The services of a cloud project, for an operator who does not have the project's secrets."""

    @cached_property
    def tasks(self) -> TaskQueue:
        """A queue that creates no task; the poller creates the missing tasks."""
        return NullTaskQueue()

    @cached_property
    def policy(self) -> Policy:
        """A policy that sets only the bucket; operator commands read no other field."""
        return Policy(bucket=self._settings.audio_bucket)

    @property
    def checks(self) -> Mapping[str, Check]:
        """The health checks that work without a provider's key."""
        return service_checks(self)


def operator_name(*, in_cloud: bool) -> str:
    """Return the operator's name for the audit log.

    The name is the gcloud account in the cloud, otherwise the user of the operating system.
    """
    account = _gcloud_account() if in_cloud else None
    return account or getpass.getuser()


def _gcloud_account() -> str | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    result = subprocess.run(
        [gcloud, "config", "get-value", "account"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    account = result.stdout.strip()
    return account if result.returncode == 0 and "@" in account else None
