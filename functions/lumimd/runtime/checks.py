"""The health checks of a deployment, by name."""

from collections.abc import Callable, Mapping
from functools import partial

from lumimd.operations import checks
from lumimd.operations.operator import OperatorServices
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION
from lumimd.ports.health_check import Check
from lumimd.ports.providers import SummaryProvider
from lumimd.runtime.settings import Deployment, Settings


def service_checks(services: OperatorServices) -> Mapping[str, Check]:
    """Return the checks that need no key of a provider."""
    return {
        "store": lazily(lambda: checks.store_check(services.store)),
        "queues": lazily(lambda: checks.queue_check(services.queues)),
        "scheduler": lazily(lambda: checks.scheduler_check(services.schedules)),
        **{
            f"breaker: {name}": lazily(partial(_breaker_check, services, name))
            for name in (TRANSCRIPTION.name, ORDERS.name, MODEL.name)
        },
    }


def provider_checks(deployment: Deployment) -> Mapping[str, Check]:
    """Return the checks of the bucket, the transcriber and the model."""
    return {
        "bucket": lazily(partial(_bucket_check, deployment.settings)),
        "transcriber": lazily(deployment.transcription.check),
        "model": lazily(partial(_model_check, deployment.model)),
    }


def _breaker_check(services: OperatorServices, name: str) -> Check:
    return checks.breaker_check(services.breakers, name)


def _bucket_check(settings: Settings) -> Check:
    from lumimd.adapters.google.storage import bucket_check, storage_client

    client = storage_client(settings.google_cloud_project, settings.storage_emulator_host)
    return bucket_check(client, settings.audio_bucket)


def _model_check(model: SummaryProvider | None) -> Check:
    return model.check() if model else _rules_check


async def _rules_check() -> str:
    return "not used: the rules write the summaries"


def lazily(make: Callable[[], Check]) -> Check:
    """Return a check that calls `make` when it runs, to build the check and its dependencies.

    So a dependency that cannot be built (a client without credentials) does not affect the other
    checks.
    """

    async def check() -> str:
        return await make()()

    return check
