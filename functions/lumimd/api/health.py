"""Liveness of this instance. Operators read the health of its dependencies in another route."""

from fastapi import APIRouter

from lumimd.domain.document import Document

router = APIRouter(tags=["health"])


class Liveness(Document):
    """The response of a live instance."""

    status: str = "ok"


@router.get("/health")
async def read_health() -> Liveness:
    """Respond without calling any dependency, for uptime checks and load balancers.

    The path is not `/healthz`, because Cloud Run reserves paths that end in z.
    """
    return Liveness()
