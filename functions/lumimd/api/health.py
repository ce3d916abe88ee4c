"""Liveness of this instance. Operators read the health of its dependencies elsewhere."""

from fastapi import APIRouter

from lumimd.domain.document import Document

router = APIRouter(tags=["health"])


class Liveness(Document):
    """This instance answers."""

    status: str = "ok"


@router.get("/health")
async def read_health() -> Liveness:
    """Answer without calling any dependency: for uptime checks and load balancers.

    Not `/healthz`: Cloud Run reserves paths that end in z.
    """
    return Liveness()
