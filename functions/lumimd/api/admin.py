"""The operators' routes. `lumimd.operations` does the work and keeps the audit log."""

from typing import Final

from lumimd.api import admin_letters, admin_services, admin_visits

ROUTERS: Final = (admin_letters.router, admin_visits.router, admin_services.router)
"""All under /v1/admin, only for users with the custom claim `admin: true`."""
