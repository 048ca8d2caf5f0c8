"""The record builder: how many rows an error about rows without their key names."""

from __future__ import annotations

import pytest

from tap_visma_economic import schemas
from tap_visma_economic.errors import EconomicError
from tap_visma_economic.records import pages
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.record_builder import RecordBuilder
from tap_visma_economic.records.row_type import RowType
from tap_visma_economic.records.selection import Selection
from tests.unit.answers import answer


def test_an_error_names_twenty_rows_at_most() -> None:
    drift = Drift()
    builder = RecordBuilder(("agreementNumber", "amount"))
    body = b",".join(b'{"amount": %d}' % number for number in range(500))
    row_type = RowType(schemas.load("booked_entries"), Selection(), drift)
    builder.records(pages.array(answer(b"[%b]" % body), row_type).rows, {"agreementNumber": 7})
    with pytest.raises(EconomicError, match=r"^500 rows") as raised:
        builder.finish()
    assert str(raised.value).count("no entryNumber") == 20
