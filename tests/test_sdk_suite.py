"""The SDK's own tap tests, on all streams, against the sandbox."""

from __future__ import annotations

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_visma_economic.tap import TapVismaEconomic
from tests.conftest import settings_for
from tests.sandbox.server import Sandbox
from tests.sandbox.standard import standard_grants

_SANDBOX = Sandbox(standard_grants("small"))
"""Started when the suite's classes are made: the SDK runs the tap while collecting."""

_SANDBOX.__enter__()

TestAllStreams = get_tap_test_class(
    TapVismaEconomic,
    config=settings_for(_SANDBOX, "demo", all_streams=True),
    suite_config=SuiteConfig(
        max_records_limit=None,
        ignore_no_records_for_streams=["sync_runs"],  # its rows are written after all streams
    ),
    include_stream_attribute_tests=False,  # tests/test_records_arrive.py compares every value
)


def teardown_module() -> None:
    _SANDBOX.__exit__(None, None, None)
