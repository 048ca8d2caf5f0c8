"""Singer messages on their way out: whole lines, many at a time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.helpers._state import StateWriter
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage

from tap_visma_economic.errors import TargetGone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import TapState

_FULL = 1 << 20
"""Bytes that wait at most."""

_LONGEST_WAIT = 1.0
"""Seconds a record waits at most once its page is written."""

_STATE_EVERY = 10.0
"""Seconds between two STATE messages, the last one aside."""

_MUCH_STATE = 1 << 18
"""Bytes of STATE after which the time between two of them doubles: hundreds of companies have much
state, and a run that writes it every ten seconds would hardly write anything else."""


class BufferedWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages as lines of JSON, decimals with all their digits.

    Records wait in a buffer; every other message is written at once, and what waits before it.
    Only whole lines ever leave the buffer.

    Attributes:
        written: bytes that have been written.
    """

    def __init__(self) -> None:
        encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")
        self._encode = encoder.encode
        self._encode_lines = encoder.encode_lines
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0
        self._flushed = time.monotonic()
        self.written = 0

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as a line of JSON."""
        return self._encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Take a message; all but a RECORD are written at once."""
        self._take(self.serialize_message(message))
        if not isinstance(message, RecordMessage) or self._waiting >= _FULL:
            self.flush()

    def write_records(
        self, stream: str, records: Sequence[Any], version: int | None = None
    ) -> None:
        """Take RECORD messages, the records being dictionaries or Structs."""
        if not records:
            return
        message: dict[str, Any] = {"type": "RECORD", "stream": stream}
        if version is not None:
            message["version"] = version
        head = self._encode(message)[:-1] + b',"record":'
        tail = b',"time_extracted":' + self._encode(utc_now()) + b"}\n"
        # No newline is ever inside an encoded record: JSON escapes it.
        lines = self._encode_lines(records).replace(b"\n", tail + head)
        self._take(head)
        self._take(memoryview(lines)[: -len(head)])
        if self._waiting >= _FULL:
            self.flush()

    def _take(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._waiting += len(part)

    def end_page(self) -> None:
        """A page is written: let what waits go if it has waited long enough."""
        if time.monotonic() - self._flushed >= _LONGEST_WAIT:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            TargetGone: the target closed the pipe.
        """
        left = memoryview(b"".join(self._parts))
        self._parts.clear()
        self.written, self._waiting = self.written + self._waiting, 0
        self._flushed = time.monotonic()
        try:
            while left:  # an unbuffered stdout takes a part only, if a signal comes while it waits
                left = left[sys.stdout.buffer.write(left) :]
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise TargetGone("The target closed the pipe before the end") from None
        except OSError as error:
            raise TargetGone(f"What was read could not be written ({error.strerror})") from None


class PatientStateWriter(StateWriter):
    """Writes STATE at most every ten seconds, and less often the more it has written.

    `finish` writes the last one.

    The state only ever tells of records that were written before it, so an older one is merely
    less news.
    """

    def __init__(self, message_writer: BufferedWriter) -> None:
        super().__init__(message_writer)
        self._buffered = message_writer
        self._bytes = 0
        self._state: TapState | None = None
        self._next = time.monotonic()

    def write_state(self, state: TapState) -> None:
        """Write the state if it has changed and the last one is old enough; keep it otherwise."""
        self._state = state
        if time.monotonic() >= self._next:
            self.finish()

    def finish(self) -> None:
        """Write the newest state if it has not been written yet."""
        if self._state is not None:
            self._buffered.flush()
            before = self._buffered.written
            super().write_state(self._state)
            self._bytes += self._buffered.written - before
            self._next = time.monotonic() + _STATE_EVERY * 2 ** (self._bytes // _MUCH_STATE)
