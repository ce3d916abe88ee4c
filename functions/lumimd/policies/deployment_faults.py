"""An account or configuration fault (for instance a bad key) stops the time limits of the visits.

| limit of a visit                        | module                                             |
|-----------------------------------------|----------------------------------------------------|
| a day of waiting for a dependency       | `pipeline/submit.py`, `pipeline/without_model.py`  |
| days without progress                   | `policies/due.py`                                  |
| a job that takes too long               | `policies/job_limit.py`                            |

Each limit counts from `fault_at`, which every check of a visit moves forward while the fault lasts.
So no other record of the fault is necessary, and after the fault a visit has its full time.
"""

from datetime import datetime

from lumimd.domain.errors import ProviderRefuses
from lumimd.domain.visit import Visit


def is_fault(error: BaseException | None) -> bool:
    """Whether `error` is an account or configuration fault, which an operator has to repair."""
    return isinstance(error, ProviderRefuses)


def since_fault(visit: Visit, began_at: datetime) -> datetime:
    """Return the start of a time limit: `began_at`, or the last fault if that is later."""
    return max(began_at, visit.fault_at) if visit.fault_at else began_at
