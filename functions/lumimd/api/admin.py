"""What operators ask and do over HTTP; `lumimd.operations` does it, and keeps the audit log."""

from typing import Final

from lumimd.api import admin_letters, admin_services, admin_visits

ROUTERS: Final = (admin_letters.router, admin_visits.router, admin_services.router)
"""All under /v1/admin, for users with the custom claim `admin: true` alone."""
