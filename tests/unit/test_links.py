"""Links to the next page: whatever stands there is either a way on at e-conomic or a fault."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_visma_economic.records.pages import fault_of_next_page

ASKED = "https://restapi.e-conomic.com/units?pagesize=1000&skippages=3"
PARTS = [*"@:/\\?&#[]34\x1b\u24e1", "https://", "//", "restapi.e-conomic.com", "evil.example"]
PARTS += ["443", "skippages=", "SkipPages=", "-1", "9" * 5000]


@given(st.text() | st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
@example("https://[bad?skippages=4")
@example("https://restapi.e-conomic.com?skippages=" + "9" * 5000)
@example("https://restapi.e-conomic.com@evil.example/?skippages=4")
def test_whatever_a_link_is_it_leads_on_at_e_conomic_or_is_at_fault(link: str) -> None:
    fault = fault_of_next_page(link, ASKED)
    if fault is None:
        assert urlsplit(link).hostname in {"restapi.e-conomic.com", "localhost", "127.0.0.1", "::1"}
    else:
        assert fault.isprintable()
        assert len(fault) < 200


@pytest.mark.parametrize(
    ("link", "leads_on"),
    [
        ("https://restapi.e-conomic.com/units?skippages=4", True),
        ("https://RESTAPI.e-conomic.com:443/units?SKIPPAGES=4", True),
        ("https://restapi.e-conomic.com/units", True),
        ("https://restapi.e-conomic.com/units?skippages=3", False),
        ("https://restapi.e-conomic.com/units?skippages=0", False),
        ("https://restapi.e-conomic.com/units?skippages=four", False),
        ("https://evil.example/units?skippages=4", False),
        ("https://restapi.e-conomic.com@evil.example/units?skippages=4", False),
        ("https://restapi.e-conomic.com.evil.example/units?skippages=4", False),
        ("/units?skippages=4", False),
        ("", False),
    ],
)
def test_a_link_leads_on_at_e_conomic_alone(link: str, leads_on: bool) -> None:
    assert (fault_of_next_page(link, ASKED) is None) is leads_on
