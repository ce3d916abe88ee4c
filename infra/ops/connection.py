"""The parts that a command works with: of the local stack, or of a project in the cloud."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.ops.local_stack import Addresses
from lumimd.operations.operator import OperatorServices
from lumimd.policies.deployment import Policy
from lumimd.ports.health_check import Check
from lumimd.ports.task_queue import TaskQueue
from lumimd.runtime.services import CloudServices
from lumimd.runtime.settings import Settings, SettingsError, read


class NeedsSetting(Exception):
    """The command needs a setting of the deployment that is not in the environment."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This needs {name.upper()} of the deployment in the environment (see .env.example)."
        )


@dataclass(frozen=True)
class Connection:
    """The parts, where they are for a person, and what is wrong with the configuration."""

    services: OperatorServices
    where: str
    configuration: Sequence[str]


def local(addresses: Addresses) -> Connection:
    """The stack on this machine, as its own functions see it."""
    os.environ.update(addresses.env)
    return Connection(CloudServices(read()), f"local stack {addresses.run}", ())


def cloud(project: str, region: str) -> Connection:
    """A project of the cloud, by application default credentials.

    With the settings of the deployment in the environment everything can be done. Without them,
    what needs a key of a provider is refused; the rest needs Firestore, Cloud Tasks and Cloud
    Scheduler only.
    """
    os.environ["GOOGLE_CLOUD_PROJECT"] = project
    try:
        return Connection(CloudServices(read()), f"project {project}", ())
    except SettingsError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
    location = f"projects/{project}/locations/{region}"
    known: dict[str, Any] = {
        "google_cloud_project": project,
        "summary_queue": f"{location}/queues/summaries",
        # Terraform names the bucket so (terraform/storage.tf).
        "audio_bucket": os.environ.get("AUDIO_BUCKET") or f"{project}-recordings",
        "audio_handover": "signed_url",  # nothing is handed over from here
        "storage_emulator_host": os.environ.get("STORAGE_EMULATOR_HOST") or None,
        "cloud_tasks_emulator_host": os.environ.get("CLOUD_TASKS_EMULATOR_HOST") or None,
        "cloud_scheduler_emulator_host": os.environ.get("CLOUD_SCHEDULER_EMULATOR_HOST") or None,
    }
    services = OperatorsServices(PartialSettings.model_construct(**known))
    return Connection(services, f"project {project}", problems)


class PartialSettings(Settings):
    """Settings of which some are not known; asking for one of those says so."""

    def __getattr__(self, name: str) -> Any:
        if name in type(self).model_fields:
            raise NeedsSetting(name)
        raise AttributeError(name)


class LeftToTheScheduler:
    """Creates no task: a visit whose task is missing is due shortly, and then gets one.

    So an operator needs no right to create tasks in the name of the pipeline.
    """

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Nothing; `wake_at` brings the visit back."""

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Nothing; a task of ids alone finds no visit, and does nothing."""
        return False


class OperatorsServices(CloudServices):
    """What an operator can do with a project, knowing none of its secrets."""

    @cached_property
    def tasks(self) -> TaskQueue:
        """Nobody's: the scheduler creates what is missing."""
        return LeftToTheScheduler()

    @cached_property
    def policy(self) -> Policy:
        """Where the recordings are; an operator's command decides nothing by the rest."""
        return Policy(bucket=self._settings.audio_bucket)

    @property
    def checks(self) -> Mapping[str, Check]:
        """What can be asked without any key of a provider."""
        return self.service_checks
