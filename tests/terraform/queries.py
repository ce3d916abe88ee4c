"""Records the Firestore queries of the code, and checks that declared indexes serve them.

infra/firestore.indexes.json declares the indexes. The emulator needs no index, but the cloud
refuses a query without an index.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from unittest.mock import patch

from google.cloud.firestore_v1 import async_aggregation, async_query
from google.cloud.firestore_v1.types import StructuredQuery

from tests.terraform.offline import ROOT

Fields = tuple[tuple[str, str], ...]
"""Field names, each with its order: ASCENDING or DESCENDING."""


@dataclass(frozen=True)
class Query:
    """The parts of a query that decide its index: fields of equalities, and the result's order."""

    collection: str
    equal: frozenset[str]
    order: Fields

    def __str__(self) -> str:
        order = ", ".join(f"{name} {way}" for name, way in self.order)
        return f"{self.collection}: {', '.join(sorted(self.equal))} ordered by {order or 'nothing'}"


def declared() -> Mapping[str, Sequence[Fields]]:
    """Return the declared composite indexes, by collection."""
    found: dict[str, list[Fields]] = {}
    for index in json.loads((ROOT / "infra/firestore.indexes.json").read_text())["indexes"]:
        fields = tuple((field["fieldPath"], field["order"]) for field in index["fields"])
        found.setdefault(index["collectionGroup"], []).append(fields)
    return found


def unindexed() -> frozenset[tuple[str, str]]:
    """Return the fields whose single-field index is turned off, each with its collection."""
    fields = json.loads((ROOT / "infra/firestore.indexes.json").read_text())["fieldOverrides"]
    return frozenset((f["collectionGroup"], f["fieldPath"]) for f in fields if not f["indexes"])


def is_served(query: Query, indexes: Sequence[Fields], off: frozenset[tuple[str, str]]) -> bool:
    """Whether the composite indexes serve the query; `off` are fields without an index.

    Every other field has a single-field index. Firestore merges indexes that end in the same order,
    so that several indexes may serve the equalities together. A query with only equalities needs no
    composite index.
    """
    named = {*query.equal, *(name for name, _ in query.order)}
    if any((query.collection, name) in off for name in named):
        return False
    if not query.order or (not query.equal and len(query.order) == 1):
        return True
    sizes = range(1, len(query.equal) + 1)
    return any(_covers(query, some) for n in sizes for some in combinations(indexes, n))


def _covers(query: Query, indexes: Sequence[Fields]) -> bool:
    """Whether each index is some equalities and then the order, and together they have all."""
    covered: set[str] = set()
    for fields in indexes:
        before, after = fields[: -len(query.order)], fields[-len(query.order) :]
        if after != query.order or not query.equal.issuperset(name for name, _ in before):
            return False
        covered |= {name for name, _ in before}
    return covered == query.equal


@contextmanager
def recorded() -> Iterator[list[Query]]:
    """Yield a list that records the queries made in the context; each query returns no document."""
    made: list[Query] = []

    async def get(self: Any, **_: Any) -> list[Any]:
        made.append(_query_of(self._to_protobuf()))
        return []

    async def aggregate(self: Any, **_: Any) -> list[Any]:
        query = self._to_protobuf()
        plain = _query_of(query.structured_query)
        summed = tuple(
            (each.sum.field.field_path, "ASCENDING")
            for each in query.aggregations
            if each._pb.HasField("sum")
        )
        made.append(Query(plain.collection, plain.equal, plain.order + summed))
        return [[type("Result", (), {"value": 0})()]]

    with (
        patch.object(async_query.AsyncQuery, "get", get),
        patch.object(async_aggregation.AsyncAggregationQuery, "get", aggregate),
    ):
        yield made


_EQUALITIES = {
    StructuredQuery.FieldFilter.Operator.EQUAL,
    StructuredQuery.FieldFilter.Operator.IN,  # a query per element, with merged results
}


def _query_of(query: StructuredQuery) -> Query:
    (source,) = query.from_
    filters = list(_filters(query.where))
    equal = {name for name, is_equality in filters if is_equality}
    unequal = [name for name, is_equality in filters if not is_equality]
    order = [(o.field.field_path, o.direction.name) for o in query.order_by]
    # Without an order, Firestore reads a range in ascending order of its field. Every index ends in
    # the document's name, in the order of the index's last field.
    order = order or [(name, "ASCENDING") for name in dict.fromkeys(unequal)]
    if len(order) > 1 and order[-1][0] == "__name__" and order[-1][1] == order[-2][1]:
        order = order[:-1]
    return Query(source.collection_id, frozenset(equal), tuple(order))


def _filters(where: Any) -> Iterator[tuple[str, bool]]:
    """Yield each filtered field, and whether its filter is an equality."""
    if where._pb.HasField("field_filter"):
        yield where.field_filter.field.field_path, where.field_filter.op in _EQUALITIES
    elif where._pb.HasField("unary_filter"):
        is_null = where.unary_filter.op is StructuredQuery.UnaryFilter.Operator.IS_NULL
        yield where.unary_filter.field.field_path, is_null
    elif where._pb.HasField("composite_filter"):
        for part in where.composite_filter.filters:
            yield from _filters(part)
