"""Times of deletion."""

from datetime import timedelta
from typing import Final

from lumimd.policies.lease import LEASE_GRACE, SUMMARY

SETTLED_AFTER: Final = SUMMARY.work + 2 * LEASE_GRACE
"""Quiescence: every invocation started before the deletion has ended or lost its precondition."""

SWEEP_AGAIN_AFTER: Final = timedelta(minutes=5)
"""Pause before the next sweep, after a job that still runs or a dependency that is down."""
