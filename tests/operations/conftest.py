import pytest

from lumimd.operations.operator import Operator
from tests.support.operators import OperatedParts, operator


@pytest.fixture
def parts() -> OperatedParts:
    return OperatedParts()


@pytest.fixture
def olga(parts: OperatedParts) -> Operator:
    return operator(parts)
