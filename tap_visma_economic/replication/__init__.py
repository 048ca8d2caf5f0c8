"""How streams find new and changed rows: what a stream declares as its `replication`."""

from tap_visma_economic.replication.base import FullTable
from tap_visma_economic.replication.by_number import ByNumber
from tap_visma_economic.replication.by_timestamp import ByTimestamp
from tap_visma_economic.replication.open_items import OpenItems

__all__ = ["ByNumber", "ByTimestamp", "FullTable", "OpenItems"]
