"""The setting `agreements_file`, on the command line: companies in a file, read at each start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import clean_environment
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    VERSIONS,
    activated,
    canary_sandbox,
    keeps_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox

HEADER = "agreement_number;name;enabled;agreement_grant_token"


@pytest.fixture
def three() -> Iterator[Sandbox]:
    """Three companies; a fresh sandbox, because tests revoke grants."""
    with canary_sandbox() as sandbox:
        yield sandbox


class Reader:
    """Runs the tap with an agreements file beside it."""

    def __init__(self, tap: TapRunner, sandbox: Sandbox) -> None:
        self.tap = tap
        self.config = {
            "app_secret_token": APP,
            "rest_url": sandbox.url,
            "openapi_url": sandbox.url,
            "agreements_file": "agreements.csv",
        }

    def write(self, *lines: str, name: str = "agreements.csv") -> None:
        (self.tap.folder / name).write_text("\n".join([HEADER, *lines]) + "\n", encoding="cp1252")

    def __call__(self, *streams: str, state: Any = None, **settings: Any) -> Run:
        catalog = self.tap.catalog_of("agreements", *streams)
        run = self.tap({**self.config, **settings}, catalog=catalog, state=state)
        keeps_secrets(run)
        return run


@pytest.fixture
def read(warm_tap: TapRunner, three: Sandbox) -> Reader:
    return Reader(warm_tap, three)


def numbers(run: Run, stream: str = "agreements") -> list[int]:
    return sorted({row["agreementNumber"] - NUMBER for row in run.records[stream]})


def test_companies_in_a_file_join_those_in_the_settings(read: Reader) -> None:
    read.write(f"{NUMBER + 1};Søn & Datter;ja;{GRANT_2}", "", f";;;{GRANT_3}")
    run = read("units", agreement_grant_token=GRANT)
    assert run.exit_code == 0, run.stderr
    assert numbers(run) == numbers(run, "units") == [0, 1, 2]


def test_the_file_is_read_at_each_start(read: Reader) -> None:
    read.write(f";;;{GRANT}")
    assert numbers(read()) == [0]
    read.write(f";;;{GRANT}", f";;;{GRANT_2}")
    assert numbers(read()) == [0, 1]


def test_invalid_lines_end_the_run_before_anything_is_read(read: Reader, three: Sandbox) -> None:
    read.write(f"1234567.0;;;{GRANT}", f";;maybe;{GRANT_2}", f";;;{GRANT_3}", f";;;{GRANT_3}")
    run = read(agreements=[{"agreement_grant_token": GRANT_3}])
    assert (run.exit_code, run.messages, three.log) == (1, [], [])
    (line,) = run.errors
    assert "agreements.csv has 4 invalid lines, so nothing was read:" in line
    for words in (
        "line 2: agreement_number must be a whole number without separators, such as 1234567",
        "line 3: enabled must be true or false",
        "line 4: agreement_grant_token is the same as in agreements no. 1. Remove one of them",
        "line 5: agreement_grant_token is the same as in agreements no. 1. Remove one of them",
    ):
        assert f"  {words}" in run.stderr


@pytest.mark.parametrize(
    ("name", "token"),
    [(CANARY + "x" * 37, "Firma"), (GRANT, GRANT)],
    ids=["swapped", "twice"],
)
def test_a_token_in_place_of_a_name_is_shown_nowhere(read: Reader, name: str, token: str) -> None:
    """Names are in the log and, of a grant that is rejected, in `sync_runs`."""
    read.write(f"{NUMBER};{name};;{token}", f"{NUMBER + 1};Firma 1;;{GRANT_2}")
    run = read("sync_runs")
    assert (run.exit_code, run.messages) == (1, [])
    assert "line 2: name could be a token" in run.stderr


def test_a_grant_of_another_agreement_is_not_read(read: Reader) -> None:
    read.write(f"{NUMBER};;;{GRANT}", f"{NUMBER + 7};;;{GRANT_2}")
    run = read("units")
    assert run.exit_code == 1
    assert numbers(run) == numbers(run, "units") == [0]
    assert (
        f"agreements.csv line 3: the grant is for agreement {NUMBER + 1} (Firma 1), not for "
        f"agreement {NUMBER + 7}. Correct agreement_number" in run.stderr
    )


def test_a_refused_grant_is_named_by_its_line(read: Reader, three: Sandbox) -> None:
    three.revoke(GRANT_2)
    read.write(f";;;{GRANT}", f";;;{GRANT_2}")
    run = read()
    assert run.exit_code == 1
    assert numbers(run) == [0]
    assert "Cannot use agreements.csv line 3: e-conomic rejected the tokens (401)" in run.stderr


def test_a_disabled_company_is_not_read_and_none_of_its_rows_are_deleted(
    read: Reader, three: Sandbox
) -> None:
    read.write(f"{NUMBER};;;{GRANT}", f"{NUMBER + 1};;;{GRANT_2}")
    run = read("units", **VERSIONS)
    assert activated(run) == {"agreements", "units"}
    read.write(f"{NUMBER};;;{GRANT}", f"{NUMBER + 1};;nej;{GRANT_2}")
    for state in (run.state, None):  # without a state only the file knows of the company
        before = len(three.log)
        later = read("units", state=state, **VERSIONS)
        assert later.exit_code == 0, later.stderr
        assert numbers(later) == numbers(later, "units") == [0]
        assert {request.grant for request in three.log[before:]} == {GRANT}
        assert not activated(later)
        assert (
            "ACTIVATE_VERSION not sent for agreements, units: agreements.csv line 3 is disabled"
            in (later.stderr)
        )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "agreements.csv names no agreement to read: it has no lines. Add or enable one"),
        ([f";;nej;{GRANT}"], "names no agreement to read: every line is disabled"),
    ],
)
def test_a_file_without_a_company_is_no_complete_run(
    read: Reader, lines: list[str], words: str
) -> None:
    read.write(*lines)
    run = read()
    assert run.exit_code == 1
    assert words in run.stderr


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("no/such/agreements.csv", "agreements.csv cannot be read: No such file or directory"),
        (GRANT, "agreements_file cannot be read: No such file or directory"),
        (f"/{GRANT}", "agreements_file cannot be read: No such file or directory"),
        (f"{GRANT}\0", "agreements_file cannot be read: it is not a path"),
        (".", "agreements_file cannot be read: Is a directory"),
        (f"https://user:{GRANT}@x/a.csv", "must be a path or a URL with s3, gs, abfs"),
        (f"s3://{GRANT}@bucket/a.csv?key={GRANT}", "install the tap with its extra [s3]"),
        (5, "agreements_file must be a string in quotes, not a number"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_and_nothing_of_its_address_is_shown(
    read: Reader, location: object, words: str
) -> None:
    run = read(agreements_file=location)
    assert (run.exit_code, run.messages) == (1, [])
    (line,) = run.errors
    assert words in line


S3FS = """
from fsspec.implementations.local import LocalFileSystem
__version__ = "2026.9.0"
class S3FileSystem(LocalFileSystem):
    protocol = "s3"
    @classmethod
    def _strip_protocol(cls, path):
        return path.rpartition("://")[2]
    def _open(self, path, *args, **kwargs):
        if "denied" in path:
            raise PermissionError(f"403 for {path}")
        return super()._open(path, *args, **kwargs)
"""


def test_a_file_in_a_cloud_is_read_with_the_package_for_it(
    run_tap: TapRunner, three: Sandbox
) -> None:
    """A stand-in for s3fs, found as fsspec finds s3fs itself, with local files for objects."""
    read = Reader(run_tap, three)
    (run_tap.folder / "s3fs.py").write_text(S3FS)
    (run_tap.folder / "bucket").mkdir()
    read.write(f";;;{GRANT}", name="bucket/agreements.csv")
    env = {**clean_environment(), "PYTHONPATH": str(run_tap.folder)}
    told = {}
    for name in ("agreements.csv", f"denied-{CANARY}.csv?key={CANARY}"):
        config = {**read.config, "agreements_file": f"s3://bucket/{name}"}
        arguments = run_tap.arguments(config, catalog=run_tap.catalog_of("agreements"))
        code, out, err = run_tap.execute(arguments, env)
        assert CANARY.encode() not in out + err
        told[name] = code, out.count(b'"RECORD"'), err.decode()
    assert told["agreements.csv"][:2] == (0, 1), told
    assert told.popitem()[1][:2] == (1, 0)
    assert "cannot be read from s3 (PermissionError)" in err.decode()


def test_a_file_that_discovery_does_not_need_is_not_read(warm_tap: TapRunner) -> None:
    run = warm_tap({"agreements_file": "no-such-file"}, "--discover")
    assert run.exit_code == 0, run.stderr


def test_the_environment_names_the_file(read: Reader) -> None:
    names = {name.upper(): value for name, value in read.config.items()}
    read.write(f";;;{GRANT}")
    catalog = read.tap.catalog_of("agreements")
    env = {f"TAP_VISMA_ECONOMIC_{name}": str(value) for name, value in names.items()}
    run = read.tap(None, "--config=ENV", catalog=catalog, env=env)
    assert numbers(run) == [0]


def test_a_token_of_the_file_is_masked_in_the_log(read: Reader) -> None:
    line = json.dumps({"agreement_grant_token": GRANT})
    (read.tap.folder / "agreements.csv").write_text(line)
    run = read(ca_bundle=f"/{GRANT}")
    assert "ca_bundle /(a token) cannot be used" in run.stderr
    assert Path(read.tap.folder / "agreements.csv").read_text() == line
