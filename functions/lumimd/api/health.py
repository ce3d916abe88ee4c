"""Whether this instance answers at all. What it depends on, operators ask elsewhere."""

from fastapi import APIRouter

from lumimd.domain.document import Document

router = APIRouter(tags=["health"])


class Liveness(Document):
    """This instance answers."""

    status: str = "ok"


@router.get("/health")
async def read_health() -> Liveness:
    """Answers without asking anybody: for uptime checks and load balancers.

    Not `/healthz`: Cloud Run keeps paths that end in z for itself.
    """
    return Liveness()
