"""The operations of an operator; the admin routes and `scripts/ops` both call this package.

| module            | operations                                                          |
|-------------------|---------------------------------------------------------------------|
| `dead_letters.py` | visits that failed for good: read, retry, discard                   |
| `bulk_retry.py`   | retry many at a steady pace                                         |
| `failures.py`     | visits that failed for good, counted                                |
| `timeline.py`     | the timeline of a visit, stage by stage                             |
| `rerun.py`        | process a visit again from a chosen step                            |
| `legal_hold.py`   | protect a visit from every change and deletion                      |
| `priority.py`     | make a visit urgent, or ordinary again                              |
| `after_restore.py`| repeat deletions and holds after a restored backup                  |
| `statistics.py`   | success, times, retries, codes                                      |
| `costs.py`        | the usage of the visits, and its cost                               |
| `queues.py`       | the task queues: how full; pause, resume                            |
| `schedules.py`    | the scheduled calls: list, run, pause, resume                       |
| `breakers.py`     | the circuit breakers: state; reset                                  |
| `health.py`       | each dependency: does it answer now                                 |
| `doctor.py`       | all problems, in sentences                                          |
| `audit.py`        | the audit log of changes and reads                                  |

`operator.py` names the operator and their services; the ports are `ports/operator_store.py` and
`ports/service_controls.py`. Words of a visit pass only through `audit.read_visit`, which notes the
reader first.
"""
