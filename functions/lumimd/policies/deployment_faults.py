"""A fault of the deployment (its key, its account) stops the time limits of the visits.

| limit of a visit                        | module                                             |
|-----------------------------------------|----------------------------------------------------|
| a day of holding                        | `pipeline/submit.py`, `pipeline/without_model.py`  |
| days without progress                   | `policies/due.py`                                  |
| a job that takes too long               | `policies/job_limit.py`                            |

Each limit counts from `fault_at`, which every check of a visit moves forward while the fault lasts.
So there is no second record of the fault, and after it a visit has its full time.
"""

from datetime import datetime

from lumimd.domain.errors import ProviderRefuses
from lumimd.domain.visit import Visit


def is_fault(error: BaseException | None) -> bool:
    """Whether the visit has to wait for an operator."""
    return isinstance(error, ProviderRefuses)


def since_fault(visit: Visit, began_at: datetime) -> datetime:
    """The start of a time limit that began at `began_at`: not before the last fault."""
    return max(began_at, visit.fault_at) if visit.fault_at else began_at
