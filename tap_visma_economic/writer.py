"""Writing Singer messages: complete lines, many at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.helpers._state import StateWriter
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.types import TapState
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage

from tap_visma_economic.by_stream import packed
from tap_visma_economic.errors import TargetGone

_FULL = 1 << 20
"""Maximum size of the buffer, in bytes."""

_LONGEST_WAIT = 1.0
"""Maximum seconds between flushes, checked after each page."""

_STATE_EVERY = 10.0
"""Seconds between STATE messages, except for the last one."""

_MUCH_STATE = 1 << 18
"""Bytes of STATE after which that interval doubles: the state of hundreds of companies is large and
would otherwise make up most of the output."""


class BufferedWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages as lines of JSON, decimals with all their digits.

    Records are buffered; any other message flushes the buffer. Only complete lines are written.

    Attributes:
        written: the number of bytes written.
        collect: receives RECORD lines instead of the buffer: what they have except for the time,
            and then the lines. See `unchanged`.
    """

    def __init__(self) -> None:
        encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")
        self._encode = encoder.encode
        self._encode_lines = encoder.encode_lines
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0
        self._flushed = time.monotonic()
        self.written = 0
        self.collect: Callable[..., None] | None = None

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as a line of JSON."""
        return self._encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Write a message, or buffer it if it is a RECORD."""
        if self.collect and isinstance(message, RecordMessage):
            content = message.to_dict()
            content.pop("time_extracted", None)
            self.collect(self._encode(content) + b"\n", self.serialize_message(message))
            return
        self._take(self.serialize_message(message))
        if not isinstance(message, RecordMessage) or self._waiting >= _FULL:
            self.flush()

    def write_records(
        self, stream: str, records: Sequence[Any], version: int | None = None
    ) -> None:
        """Buffer RECORD messages. The records are dictionaries or Structs."""
        if not records:
            return
        message: dict[str, Any] = {"type": "RECORD", "stream": stream}
        if version is not None:
            message["version"] = version
        head = self._encode(message)[:-1] + b',"record":'
        tail = b',"time_extracted":' + self._encode(utc_now()) + b"}\n"
        # JSON escapes newlines, so none is inside an encoded record.
        content = self._encode_lines(records)
        lines = memoryview(content.replace(b"\n", tail + head))[: -len(head)]
        if self.collect:
            self.collect(content, head, lines)
            return
        self._take(head)
        self.write_lines(lines)

    def write_lines(self, lines: bytes | memoryview) -> None:
        """Buffer what is encoded already."""
        self._take(lines)
        if self._waiting >= _FULL:
            self.flush()

    def _take(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._waiting += len(part)

    def end_page(self) -> None:
        """Flush after a page, unless that was done less than a second ago."""
        if time.monotonic() - self._flushed >= _LONGEST_WAIT:
            self.flush()

    def flush(self) -> None:
        """Write the buffer.

        Raises:
            TargetGone: it cannot be written.
        """
        left = memoryview(b"".join(self._parts))
        self._parts.clear()
        self.written, self._waiting = self.written + self._waiting, 0
        self._flushed = time.monotonic()
        try:
            while left:  # a signal can interrupt a write to an unbuffered stdout
                left = left[sys.stdout.buffer.write(left) :]
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise TargetGone("The target closed the pipe before the run ended") from None
        except OSError as error:
            raise TargetGone(f"The output could not be written ({error.strerror})") from None


class PatientStateWriter(StateWriter):
    """Writes STATE every ten seconds, and less often the more STATE it has written.

    A state covers only records written before it, so any can be skipped. `finish` writes the last.
    """

    def __init__(self, message_writer: BufferedWriter) -> None:
        super().__init__(message_writer)
        self._buffered = message_writer
        self._bytes = 0
        self._state: TapState | None = None
        self._next = time.monotonic()

    def write_state(self, state: TapState) -> None:
        """Write the state if it is time to; keep it otherwise."""
        self._state = state
        if time.monotonic() >= self._next:
            self.finish()

    def finish(self) -> None:
        """Write the latest state if it has changed."""
        if self._state is not None:
            self._buffered.flush()
            before = self._buffered.written
            super().write_state(packed(self._state))
            self._bytes += self._buffered.written - before
            self._next = time.monotonic() + _STATE_EVERY * 2 ** (self._bytes // _MUCH_STATE)
