"""A fault of the deployment (its key, its account) is no fault of a visit: its times stand still.

| what would end a visit                  | where it is decided             |
|-----------------------------------------|---------------------------------|
| a day of holding                        | `fallback.py`, `pipeline.py`    |
| days without getting on                 | `recovery.py`                   |
| a job that takes too long               | `job_limit.py`                  |

Each of them counts from `fault_at`, which every look at a visit moves on while the fault lasts. So
there is no second record of the fault, and after it a visit has all of its time.
"""

from datetime import datetime

from lumimd.domain.errors import ProviderRefuses
from lumimd.domain.visit import Visit


def is_fault(error: BaseException | None) -> bool:
    """Whether the visit has to wait for an operator."""
    return isinstance(error, ProviderRefuses)


def since_fault(visit: Visit, began_at: datetime) -> datetime:
    """From when on a time of the visit counts that began then."""
    return max(began_at, visit.fault_at) if visit.fault_at else began_at
