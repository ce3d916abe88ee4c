"""Durations that the deletion of visits uses."""

from datetime import timedelta
from typing import Final

from lumimd.policies.lease import LEASE_GRACE, SUMMARY

SETTLED_AFTER: Final = SUMMARY.work + 2 * LEASE_GRACE
"""The time after which each invocation that started before the deletion has ended or fails to
save."""

SWEEP_AGAIN_AFTER: Final = timedelta(minutes=5)
"""The pause before a deletion continues, after a job still ran or a dependency was down."""
