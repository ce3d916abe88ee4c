"""The flow of a visit, in reading order.

accept, submit, collect, summarize; recover wakes what is due; save, lease, switches and
without_model serve them; commands, delete, erase, retain and reconcile act for owners and time.
"""
