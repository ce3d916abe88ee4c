"""What an operator may ask and do; the admin routes and `scripts/ops` both call this.

| module            | answers                                                             |
|-------------------|---------------------------------------------------------------------|
| `dead_letters.py` | what failed for good: look, try again, put away                     |
| `bulk_retry.py`   | try many again, at a steady pace                                    |
| `failures.py`     | what failed for good, counted                                       |
| `timeline.py`     | how a visit went, stage by stage                                    |
| `rerun.py`        | work on a visit again from a chosen step                            |
| `legal_hold.py`   | protect a visit from every change and deletion                      |
| `after_restore.py`| delete and hold again what a backup has brought back                |
| `statistics.py`   | how it goes: success, times, retries, codes                         |
| `costs.py`        | what the visits used, and what that costs                           |
| `queues.py`       | the task queues: how full; pause, resume                            |
| `schedules.py`    | the scheduled calls: list, run, pause, resume                       |
| `breakers.py`     | which dependency is left alone; reset                               |
| `health.py`       | each dependency: does it answer now                                 |
| `doctor.py`       | what is wrong, in sentences                                         |
| `audit.py`        | who did what, and who read what                                     |

`operator.py` is who asks and with what; `operator_store.py` and `controls.py` are the ports. No
word of a visit passes through here but by `audit.read_visit`, which notes the reader first.
"""
