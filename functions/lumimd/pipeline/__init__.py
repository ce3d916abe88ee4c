"""The steps of a visit through the pipeline, in reading order.

The steps are accept, submit, collect and summarize; recover wakes due visits. The steps use save,
lease, switches and without_model. Owners and operators call commands, delete and erase; the hourly
schedule calls retain and reconcile.
"""
