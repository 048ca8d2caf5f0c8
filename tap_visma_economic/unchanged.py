"""Rows that the target has already: a stream of a company is sent only if one of them changed.

The RECORD lines of one partition are collected until it has been read completely, and compared by
their digest with what was last sent. The digest is in the state, so it claims what the target has:

- Before the first line of any partition goes out, a STATE without the digests of all partitions
  that are not finished does. However a run ends, no confirmed digest covers rows sent after it.
- A digest returns after the last line of its partition. Those that were not begun return at the
  end of the run; if it is killed, their partitions are sent again.

A partition without a digest is sent, after the SCHEMA of its stream. If nothing of a stream has to
be sent for any company, its SCHEMA is not sent either, because a target checks the table of each
SCHEMA that it receives. An empty partition has a digest too: it shows only that the target has
received the SCHEMA.

The digest depends on the SCHEMA message and the order of the lines: an order-insensitive one would
miss two rows of the same key that trade places, of which a target keeps the last. It also depends
on the period of `resend_days`, so everything is sent again in each.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from tempfile import SpooledTemporaryFile
from typing import Any
from zlib import crc32

from tap_visma_economic.by_stream import DIGESTS
from tap_visma_economic.errors import EconomicError
from tap_visma_economic.writer import BufferedWriter

_IN_MEMORY = 8 << 20
"""Bytes of lines that are collected in memory; more are in a temporary file."""

_CHUNK = 1 << 20
_DAY = 86_400


class Collected:
    """The RECORD lines of one partition.

    Args:
        seed: what the digest depends on beside the records.
        settle: sends the lines or not; its second argument is whether they are complete.

    Attributes:
        is_sent: they were sent.
        is_same: they were not sent, because the target has them.
    """

    def __init__(self, seed: bytes, settle: Callable[[Collected, bool], None]) -> None:
        self._hash = blake2b(seed, digest_size=8)
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  `Unchanged.collect` closes it
        self._settle = settle
        self._is_settled = False
        self.is_sent = self.is_same = False

    def add(self, content: bytes, *lines: bytes | memoryview) -> None:
        """Add lines; `content` is what they have except for the time.

        Raises:
            EconomicError: they cannot be stored. Then none is sent, because one may be cut.
        """
        self._hash.update(content)
        try:
            for part in lines:
                self._file.write(part)
            self._file.flush()  # a full disk has to show before the first line is sent
        except OSError as error:
            self._is_settled = True
            raise EconomicError(
                "skip_unchanged stores more than 8 MB of rows in a temporary file, which could not "
                f"be written ({error.strerror}). Free space, or set TMPDIR to another folder"
            ) from None

    def settle(self, *, complete: bool) -> None:
        """Send the lines, unless they are the same as before; the second call does nothing."""
        if not self._is_settled:
            self._is_settled = True
            self._settle(self, complete)

    @property
    def digest(self) -> str:
        """The digest of the lines, as text."""
        return b64encode(self._hash.digest()).decode().rstrip("=")

    @property
    def is_empty(self) -> bool:
        """Whether there are no lines."""
        return not self._file.tell()

    def chunks(self) -> Iterator[bytes]:
        """Yield the lines from the first on."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        """Delete the temporary file."""
        with suppress(OSError):  # it writes what is buffered first, which may not fit either
            self._file.close()


class Unchanged:
    """The digests of a run.

    Args:
        companies: the number and the state of each company.
        writer: whose RECORD lines are collected.
        write_state: writes a STATE at once.
        resend_days: days after which everything is sent again.
    """

    def __init__(
        self,
        companies: Iterable[tuple[int, dict[str, Any]]],
        writer: BufferedWriter,
        write_state: Callable[[], None],
        resend_days: int,
    ) -> None:
        self._states = dict(companies)
        self._digests = {number: {**s.get(DIGESTS, {})} for number, s in self._states.items()}
        self._writer = writer
        self._write_state = write_state
        self._days = resend_days
        self._today = int(time.time() // _DAY)
        self._finished: set[tuple[int, str]] = set()
        self._schema_sent: set[str] = set()
        self._sends = False

    @contextmanager
    def collect(self, stream: str, agreement: int, schema: bytes) -> Iterator[Collected]:
        """Collect the RECORD lines that are written meanwhile.

        They are sent if the partition is incomplete, or fails; not if the run has to stop.

        Args:
            stream: the name of the stream.
            agreement: the number of the company.
            schema: the SCHEMA messages of the stream, sent before its first line.
        """

        def settle(lines: Collected, complete: bool) -> None:
            self._writer.collect = None
            self._end(lines, stream, agreement, schema, complete=complete)

        lines = Collected(schema + self._period(stream, agreement), settle)
        self._writer.collect = lines.add
        try:
            try:
                yield lines
            except Exception:
                lines.settle(complete=False)
                raise
            lines.settle(complete=False)
        finally:
            self._writer.collect = None
            lines.close()

    def end(self) -> None:
        """Put back the digests of partitions of which nothing was sent: no more lines follow."""
        self._sends = False
        for agreement in self._states:
            self._put(agreement)

    def _period(self, stream: str, agreement: int) -> bytes:
        """Return in which period this day is. Periods begin on other days for other partitions."""
        first = crc32(f"{agreement} {stream}".encode()) % self._days
        return f"{self._days} {(self._today + first) // self._days}".encode()

    def _end(
        self, lines: Collected, stream: str, agreement: int, schema: bytes, *, complete: bool
    ) -> None:
        digests = self._digests[agreement]
        if lines.is_empty and not complete and stream in digests:
            return  # what the target has of it is as before
        same = complete and digests.get(stream) == lines.digest
        lines.is_same = same and not lines.is_empty
        lines.is_sent = not lines.is_same
        if not same:
            if not lines.is_empty:  # a SCHEMA changes no row
                self._before_sending()
            digests.pop(stream, None)
            if stream not in self._schema_sent:
                self._schema_sent.add(stream)
                self._writer.write_lines(schema)
            for chunk in lines.chunks():
                self._writer.write_lines(chunk)
        if complete:
            digests[stream] = lines.digest
            self._finished.add((agreement, stream))
            self._put(agreement)

    def _before_sending(self) -> None:
        """Before the first line: write a STATE without the digests of what may still be sent."""
        if self._sends:
            return
        self._sends = True
        before = [self._states[agreement].get(DIGESTS) for agreement in self._states]
        for agreement in self._states:
            self._put(agreement)
        if before != [self._states[agreement].get(DIGESTS) for agreement in self._states]:
            self._write_state()

    def _put(self, agreement: int) -> None:
        """Put the digests of a company that hold by now into its state."""
        hold = {
            stream: digest
            for stream, digest in self._digests[agreement].items()
            if not self._sends or (agreement, stream) in self._finished
        }
        self._states[agreement].pop(DIGESTS, None)
        if hold:
            self._states[agreement][DIGESTS] = hold
