"""The operations of an operator; the admin routes and `scripts/ops` both call this package.

| module            | operations                                                          |
|-------------------|---------------------------------------------------------------------|
| `dead_letters.py` | visits that failed permanently: read, retry, discard                |
| `bulk_retry.py`   | retry many dead letters at a steady pace                            |
| `failures.py`     | counts of visits that failed permanently                            |
| `timeline.py`     | the timeline of a visit, stage by stage                             |
| `rerun.py`        | process a visit again from a chosen step                            |
| `legal_hold.py`   | protect a visit from every change and deletion                      |
| `priority.py`     | make a visit urgent, or ordinary again                              |
| `after_restore.py`| repeat deletions and holds after a restored backup                  |
| `statistics.py`   | success rate, stage times, retry rate, frequent codes               |
| `costs.py`        | the usage of the visits, and its cost                               |
| `queues.py`       | the task queues: how full; pause, resume                            |
| `schedules.py`    | the scheduled calls: list, run, pause, resume                       |
| `breakers.py`     | the circuit breakers: state; reset                                  |
| `health.py`       | whether each dependency answers now                                 |
| `doctor.py`       | all problems, in sentences                                          |
| `audit.py`        | the audit log of changes and reads                                  |

`operator.py` defines the operator and their services; the ports are `ports/operator_store.py` and
`ports/service_controls.py`. An operator reads the words of a visit only through `audit.read_visit`,
which logs the reader first.
"""
