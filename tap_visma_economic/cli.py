"""The command line: a user's mistake ends in one line instead of a traceback."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from singer_sdk.exceptions import MappingError

from tap_visma_economic.errors import EconomicError
from tap_visma_economic.streams import STREAMS

logger = logging.getLogger("tap-visma-economic")

HELP = "Read Visma e-conomic, and write Singer messages to stdout and a log to stderr."
MORE = "tap-visma-economic-connect gets the token of a company. --about lists the settings."
TEST = (
    "Report for each company which streams its grant can read, without reading data. "
    "--test=schema writes only the schemas."
)


def exit_at_once(code: int) -> None:
    """End a run that failed or was stopped, without waiting for requests in flight."""
    if code:
        logging.shutdown()
        os._exit(code)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End the process with one line instead of a traceback where a user can fix the error."""
    try:
        yield
    except EXPLAINED as error:
        logger.error("%s", explanation(error))  # noqa: TRY400
        sys.exit(1)


EXPLAINED = (EconomicError, MappingError, ImportError, OSError)
"""Errors that a user can fix: in a run, the last two come from writing batches."""


def explanation(error: Exception) -> str:
    """Return what happened and what to do, in one line."""
    if isinstance(error, MappingError):  # its own text quotes the expression, which may be secret
        causes = [error, error.__cause__] if error.__cause__ else [error]
        kinds = ", ".join(type(cause).__name__ for cause in causes)
        return f"The setting stream_maps cannot be used ({kinds})"
    if isinstance(error, ImportError):
        return f"The setting batch_config needs a package that is not installed: {error}"
    if isinstance(error, OSError):
        return f"A file cannot be read or written: {error.strerror}"
    return str(error)


def with_keys(catalog: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a catalog in which keys are selected: targets identify rows by them."""
    streams: Iterable[Any] = STREAMS
    declared = {stream.name: stream.primary_keys for stream in streams}
    for entry in (catalog or {}).get("streams", []):
        keys = {*declared.get(entry["tap_stream_id"], ()), *(entry.get("key_properties") or ())}
        for part in entry.get("metadata") or ():
            if len(part["breadcrumb"]) == 2 and part["breadcrumb"][-1] in keys:  # noqa: PLR2004
                part["metadata"]["inclusion"] = "automatic"
    return catalog
