"""Invalid settings and files: one line that says what to do, and no message to the target."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import WarmTapRunner, settings_for
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    NUMBER,
    Watched,
    canary_sandbox,
    keeps_secrets,
    says_one_thing,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner
    from tests.sandbox import Sandbox

PREFIX = "TAP_VISMA_ECONOMIC_"
SECRET_NUMBER = 81123455


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    """A sandbox that knows the canary tokens; no test here changes it."""
    grants = small_grants(GRANT)
    grants[GRANT_2] = grants[GRANT]
    with canary_sandbox(grants) as sandbox:
        yield sandbox


@pytest.fixture
def good(strict: Sandbox) -> dict[str, Any]:
    return settings_for(strict, GRANT)


def entry(token: object) -> dict[str, object]:
    return {"agreement_grant_token": token}


def batches(root: str, form: str = "jsonl", **more: object) -> dict[str, Any]:
    return {
        "encoding": {"format": form, "compression": "gzip"},
        "storage": {"root": root, **more},
    }


WRONG_SETTINGS = [
    ({"app_secret_token": None, "agreement_grant_token": None}, "app_secret_token is missing"),
    ({"app_secret_token": ""}, "app_secret_token is missing"),
    ({"agreement_grant_token": ""}, "agreement_grant_token is missing"),
    ({"agreement_grant_token": None, "agreements": []}, "agreement_grant_token is missing"),
    ({"agreements": [entry("")]}, "agreements no. 1 is not a token"),
    ({"agreement_grant_token": GRANT + "\n"}, "agreement_grant_token is not a token"),
    ({"app_secret_token": APP + "\r"}, "A file with Windows line endings"),
    ({"app_secret_token": f"{CANARY}ø"}, "app_secret_token is not a token"),
    ({"app_secret_token": CANARY + "wrong"}, "Check app_secret_token and agreement_grant_token"),
    ({"agreement_grant_token": CANARY + "unknown"}, "e-conomic rejected the tokens (401)"),
    ({"app_secret_token": SECRET_NUMBER}, "app_secret_token must be a string"),
    ({"agreement_grant_token": SECRET_NUMBER}, "agreement_grant_token must be a string"),
    ({"agreements": GRANT}, "agreements must be a JSON array, not text"),
    ({"agreements": [GRANT]}, "agreements no. 1 must be a JSON object"),
    (
        {"agreements": [{**entry(GRANT_2), "name": "Firma"}]},
        "agreements no. 1 must be a JSON object (with agreement_grant_token only)",
    ),
    (
        {"agreements": [entry(SECRET_NUMBER)]},
        "agreement_grant_token of agreements no. 1 must be a string",
    ),
    ({"agreements": [entry(GRANT)]}, "is the same token as agreement_grant_token. Remove one"),
    ({"agreements": [entry(GRANT_2)]}, f"are both for agreement {NUMBER} (Firma 0). Remove one"),
    (
        {"concurrency": "abc"},
        "concurrency must be a whole number (at least 1, at most 16), not ",
    ),
    ({"concurrency": 0}, "concurrency must be a whole number (at least 1, at most 16), not 0"),
    ({"request_timeout": -1}, "request_timeout must be a number (greater than 0, at most 3600)"),
    *(
        ({"max_wait_minutes": float(it)}, f"The settings file is not JSON: it contains {it}")
        for it in ("NaN", "Infinity", "-Infinity")
    ),
    ({"start_date": "yesterday"}, "Write 2024-01-01 or 2024-01-01T00:00:00Z"),
    ({"start_date": "2024-13-01"}, "start_date is not a date: '2024-13-01'"),
    ({"start_date": "12:00"}, "start_date is not a date: '12:00'"),
    ({"rest_url": "restapi.e-conomic.com"}, "rest_url is not a URL such as https://"),
    ({"openapi_url": "localhost:8080"}, "openapi_url is not a URL such as https://"),
    ({"rest_url": "http://restapi.e-conomic.com"}, "rest_url must use https"),
    ({"rest_url": f"https://{GRANT}@restapi.e-conomic.com"}, "rest_url is not a URL"),
    (
        {"openapi_versions": {"customerapi": "3.1.0"}},
        "unknown module customerapi. The modules",
    ),
    ({"openapi_versions": {"customersapi": "latest"}}, "needs a version such as 3.1.0"),
    ({"ca_bundle": "/nowhere/ca.pem"}, "ca_bundle /nowhere/ca.pem cannot be used: No such file"),
    ({"user_agent": "one\ntwo"}, "user_agent must be one line"),
    ({"user_agent": " tap"}, "user_agent must be one line"),
    ({"user_agent": "tap \U0001fa91"}, "user_agent must be one line"),
    ({"rest_url": f"https://:{GRANT}@restapi.e-conomic.com"}, "rest_url is not a URL"),
    ({"rest_url": "https://restapi.e-conomic.com/#part"}, "rest_url is not a URL"),
    ({"rest_url": "https://restapi.e-conomic.com/?"}, "rest_url is not a URL"),
    ({"rest_url": "https://restapi.e-conomic.com\n/x"}, "rest_url is not a URL"),
    ({"rest_url": "https://\u2100.example"}, "rest_url is not a URL"),
    ({"rest_url": "https://[bad"}, "rest_url is not a URL"),
    ({"rest_url": f"http://127.0.0.1/{GRANT}"}, "rest_url contains a token"),
    ({"openapi_url": f"https://{APP}.example.com"}, "openapi_url contains a token"),
    ({"rest_url": "https://a..b"}, "a..b is not a valid host name"),
    ({"rest_url": f"https://{'a' * 64}.com"}, "aaa.com is not a valid host name"),
    ({"rest_url": "https://e-c\xf8nomic.com"}, "rest_url is not a URL such as https://"),
    ({"stream_maps": {"units": {"x": f"nosuch({GRANT}"}}}, "stream_maps cannot be used"),
    ({"stream_maps": {"units": {"x": f"{GRANT}\ud800"}}}, "stream_maps cannot be used"),
    ({"stream_maps": {"units": {"__alias__": f"int('{GRANT}')"}}}, "stream_maps cannot be used"),
    ({"stream_maps": {"units": {"__alias__": "1 / 0"}}}, "(MappingError, ZeroDivisionError)"),
    ({"stream_maps": {"__else__": GRANT}}, '__else__ of stream_maps must be "__NULL__" or null'),
    ({"stream_maps": {"__else__": [GRANT]}}, '__else__ of stream_maps must be "__NULL__" or null'),
    ({"stream_maps": {"units": {"__else__": GRANT}}}, "__else__ of units of stream_maps must be "),
    ({"ca_bundle": f"{GRANT}\0"}, "ca_bundle cannot be used: it is not a path"),
    ({"ca_bundle": f"{GRANT}\ud800"}, "ca_bundle cannot be used: it is not a path"),
    ({"batch_config": batches("zzz://c")}, "batch_config: the SDK cannot use this storage"),
    ({"batch_config": batches(root="/", x=GRANT)}, "batch_config: the SDK cannot use this storage"),
    ({"batch_config": {"storage": {"root": GRANT}}}, "batch_config needs encoding"),
    ({"batch_config": {"encoding": {"format": "jsonl"}}}, "batch_config needs storage"),
    (
        {"batch_config": {"encoding": {"x": GRANT}, "storage": {"root": "/"}}},
        "batch_config: the SDK cannot use this encoding",
    ),
]


@pytest.mark.parametrize(("change", "words"), WRONG_SETTINGS)
def test_a_setting_that_cannot_work_is_named(
    warm_tap: TapRunner, good: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    run = warm_tap({**good, **change})
    assert words in says_one_thing(run)
    assert str(SECRET_NUMBER) not in run.stderr


WRONG_ENVIRONMENT = [
    ({}, "agreement_grant_token is missing"),
    ({"AGREEMENTS": json.dumps([GRANT])}, f"{PREFIX}AGREEMENTS no. 1 must be a JSON object"),
    ({"AGREEMENTS": GRANT}, f"{PREFIX}AGREEMENTS must be a JSON array, not text"),
    ({"CONCURRENCY": "abc"}, f"{PREFIX}CONCURRENCY must be a whole number"),
    ({"ALL_STREAMS": "maybe"}, f"{PREFIX}ALL_STREAMS must be true or false"),
    ({"REQUEST_TIMEOUT": "nan"}, f"{PREFIX}REQUEST_TIMEOUT must be a number"),
]


@pytest.mark.parametrize(("variables", "words"), WRONG_ENVIRONMENT)
def test_an_invalid_environment_variable_is_named(
    warm_tap: TapRunner, variables: dict[str, str], words: str
) -> None:
    env = {PREFIX + name: text for name, text in {"APP_SECRET_TOKEN": APP, **variables}.items()}
    assert words in says_one_thing(warm_tap(None, "--config=ENV", env=env))


def test_numbers_are_read_from_the_environment(warm_tap: TapRunner, strict: Sandbox) -> None:
    settings = {**settings_for(strict, GRANT), "request_timeout": "7.5", "concurrency": "2"}
    env = {PREFIX + name.upper(): text for name, text in settings.items()}
    run = warm_tap(None, "--config=ENV", catalog=warm_tap.catalog_of("units"), env=env)
    assert run.exit_code == 0, run.stderr


@pytest.mark.parametrize(("text", "exit_code"), [("7.5", 0), ("7,5", 1), ("", 1), ("NaN", 1)])
def test_numbers_may_be_text_in_a_settings_file_as_meltano_writes_them(
    warm_tap: TapRunner, strict: Sandbox, text: str, exit_code: int
) -> None:
    run = warm_tap.read(strict, "units", grants=[GRANT], code=exit_code, request_timeout=text)
    assert exit_code == 0 or "request_timeout must be a number" in says_one_thing(run)


@pytest.mark.parametrize("name", [f"{PREFIX}LOGLEVEL", "LOGLEVEL"])
def test_an_unknown_log_level_is_named(run_tap: TapRunner, name: str) -> None:
    run = run_tap(None, "--discover", env={name: GRANT})
    assert run.exit_code == 1
    assert run.stderr.startswith(f"{name} in the environment must be one of DEBUG, INFO, WARNING")
    assert len(run.stderr.splitlines()) == 1
    assert run.messages[0]["text"] == ""


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("path", ["/nowhere/ca.pem", "/dev/null"])
def test_an_invalid_ca_bundle_in_the_environment_is_named(
    warm_tap: TapRunner, good: dict[str, Any], name: str, path: str
) -> None:
    env = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", name: path}
    line = says_one_thing(warm_tap(good, env=env))
    assert f"{name} {path} cannot be used" in line


@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{CANARY}@[bad",
        f"socks5://me:{CANARY}@127.0.0.1:1",
        "http://127.0.0.1:abc",
        f"http://me:{CANARY}\u20ac@127.0.0.1:1",
    ],
)
def test_an_invalid_proxy_fails_at_once(
    warm_tap: TapRunner, good: dict[str, Any], address: str
) -> None:
    env = {"HTTPS_PROXY": address, "https_proxy": address, "NO_PROXY": "", "no_proxy": ""}
    run = warm_tap({**good, "rest_url": "https://e-conomic.test"}, env=env)
    assert re.search("proxy( settings| for .*)? in the environment", says_one_thing(run))
    assert "Retrying" not in run.stderr


def state_of(*contexts: object) -> str:
    """A state with a partition for each of these contexts."""
    partitions = [{"context": context} for context in contexts]
    return json.dumps({"bookmarks": {"booked_entries": {"partitions": partitions}}})


WRONG_FILES = [
    ("config", None, "cannot be read: No such file or directory"),
    ("config", f'{{"app_secret_token": "{APP}",', "The settings file is not JSON (line 1, column"),
    ("config", json.dumps([APP]), "The settings file must hold a JSON object"),
    ("config", "", "given.json is empty. It must hold a JSON object"),
    ("config", f'\ufeff{{"app_secret_token": "{APP}"}}', "save it as UTF-8 without BOM"),
    (
        "config",
        '{"app_secret_token": "a-b", "agreement_grant_token": "c-d", "concurrency": 1e400}',
        "concurrency must be a whole number",
    ),
    ("state", f'{{"bookmarks": "{GRANT}"', "The state file is not JSON (line 1, column"),
    ("state", json.dumps({"bookmarks": GRANT}), "is not a state that this tap has written"),
    ("catalog", "", "given.json is empty. Give the previous one, or none at all"),
    ("catalog", "{", "The catalog file is not JSON (line 1, column"),
    ("catalog", json.dumps({"streams": GRANT}), "The catalog file is not a Singer catalog"),
    (
        "state",
        '{"bookmarks": {"units": NaN}}',
        "The state file is not JSON: it contains NaN",
    ),
    ("state", state_of({"agreementNumber": [GRANT]}), "is not a state that this tap has written"),
    ("state", state_of({"agreementNumber": GRANT}), "is not a state that this tap has written"),
    ("state", state_of(*[{"agreementNumber": 1}] * 2), "is not a state that this tap has written"),
    ("state", state_of(GRANT), "is not a state that this tap has written"),
    ("state", json.dumps({"bookmarks": {"units": None}}), "is not a state that this tap has"),
]


@pytest.mark.parametrize(("name", "text", "words"), WRONG_FILES)
def test_an_invalid_file_is_named(
    warm_tap: TapRunner, good: dict[str, Any], name: str, text: str | None, words: str
) -> None:
    file = warm_tap.folder / "given.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    run = warm_tap(None if name == "config" else good, f"--{name}={file}")
    assert words in says_one_thing(run)


def test_a_hint_says_that_the_environment_was_not_read(warm_tap: TapRunner) -> None:
    run = warm_tap(None, env={f"{PREFIX}APP_SECRET_TOKEN": APP})
    assert "the environment is only read with --config=ENV" in says_one_thing(run)


def test_a_hint_names_agreements_in_the_unread_environment(
    warm_tap: TapRunner, good: dict[str, Any]
) -> None:
    env = {f"{PREFIX}AGREEMENTS": json.dumps([entry(GRANT)])}
    run = warm_tap({**good, "agreement_grant_token": None}, env=env)
    assert f"{PREFIX}AGREEMENTS is set, but" in says_one_thing(run)


def test_an_env_file_given_as_settings_file_is_recognized(warm_tap: TapRunner) -> None:
    file = warm_tap.folder / ".env"
    file.write_text(f"{PREFIX}APP_SECRET_TOKEN={APP}\n")
    run = warm_tap(None, f"--config={file}")
    assert "and use --config=ENV" in says_one_thing(run)


WRONG_ENTRIES: list[dict[str, Any]] = [
    {"schema": GRANT},
    {"schema": None},
    {"schema": {"type": "object", "properties": {"name": 5}}},
    {"metadata": GRANT},
    {"metadata": [5]},
    {"metadata": None},
    {"tap_stream_id": 5},
    {"tap_stream_id": [GRANT]},
    {"tap_stream_id": None},
    {"key_properties": GRANT},
    {"key_properties": {GRANT: 1}},
]


@pytest.mark.parametrize("change", WRONG_ENTRIES)
def test_an_invalid_catalog_entry_is_reported(
    warm_tap: TapRunner, good: dict[str, Any], change: dict[str, Any]
) -> None:
    catalog = warm_tap.catalog_of("units")
    catalog["streams"][0].update(change)
    run = warm_tap(good, catalog=catalog)
    assert "The catalog file is not a Singer catalog" in says_one_thing(run)


def test_a_catalog_edited_by_hand_loses_no_row(warm_tap: TapRunner, good: dict[str, Any]) -> None:
    """Without a property, with an unknown stream, its keys not selected."""
    catalog = warm_tap.catalog_of("units")
    (entry,) = catalog["streams"]
    unknown = {**copy.deepcopy(entry), "tap_stream_id": "nosuch", "stream": "nosuch"}
    del entry["schema"]["properties"]["name"]
    for part in entry["metadata"]:
        if part["breadcrumb"][-1:] in (["unitNumber"], ["agreementNumber"]):
            part["metadata"] = {"inclusion": "available", "selected": False}
    catalog["streams"].append(unknown)
    run = warm_tap(good, catalog=catalog)
    assert run.exit_code == 0, run.stderr
    assert set(run.records) == {"units"}
    assert {record["agreementNumber"] for record in run.records["units"]} == {NUMBER}
    assert len({record["unitNumber"] for record in run.records["units"]}) == 5
    assert {"unitNumber", "agreementNumber"} <= set(run.schemas["units"]["schema"]["properties"])
    assert "nosuch" in next(line for line in run.warnings if "Ignoring streams" in line)


BOOKMARKS: list[object] = [{"a": 1}, "abc", -5, 10**30, 5.5, True, None, "2024-01-01$or:1", [1]]
READ = ("booked_entries", "customer_contacts", "customers", "units")


@pytest.fixture(scope="module")
def whole(strict: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The rows of some streams."""
    tap = WarmTapRunner(tmp_path_factory.mktemp("whole"))
    return tap.read(strict, *READ, grants=[GRANT]).records


@pytest.mark.parametrize("bookmark", BOOKMARKS, ids=str)
def test_an_invalid_bookmark_loses_no_row(
    warm_tap: TapRunner, strict: Sandbox, whole: dict[str, Any], bookmark: object
) -> None:
    partition = {"context": {"agreementNumber": NUMBER}, "replication_key_value": bookmark}
    state = {"bookmarks": {stream: {"partitions": [partition]} for stream in READ[:2]}}
    assert warm_tap.read(strict, *READ, grants=[GRANT], state=state).records == whole


@pytest.mark.parametrize("keys", [[], ["name"], ["nosuch"], ["barred"]])
def test_a_catalog_with_other_keys_loses_no_row(
    warm_tap: TapRunner, good: dict[str, Any], whole: dict[str, Any], keys: list[str]
) -> None:
    catalog = warm_tap.catalog_of(*READ)
    for entry in catalog["streams"]:
        entry["key_properties"] = keys
        root = next(part for part in entry["metadata"] if part["breadcrumb"] == [])
        root["metadata"]["table-key-properties"] = keys
    run = warm_tap(good, catalog=catalog)
    assert run.exit_code == 0, run.stderr
    assert run.records == whole
    assert not [line for line in run.warnings if "added or deleted meanwhile" in line]


@pytest.mark.parametrize("date", ["2024-01-01", "2024-01-01T00:00:00Z"])
def test_a_start_date_may_be_a_day_or_an_instant(
    warm_tap: TapRunner, strict: Sandbox, date: str
) -> None:
    before = len(strict.log)
    warm_tap.read(strict, "invoices_booked", grants=[GRANT], start_date=date)
    asked = [r.query["filter"] for r in strict.log[before:] if r.path == "/invoices/booked"]
    assert asked == ["date$gte:2024-01-01"]


def test_a_host_that_cannot_be_reached_is_named(warm_tap: TapRunner, good: dict[str, Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = warm_tap({**good, "rest_url": f"http://127.0.0.1:{port}", "max_wait_minutes": 0.01})
    line = says_one_thing(run)
    assert f"127.0.0.1:{port} could not be reached" in line
    assert "check the network, its proxy, and the settings rest_url" in line


def test_a_revoked_grant_is_reported_with_the_message_of_the_rest_api(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    firm.revoke(GRANT)
    line = says_one_thing(warm_tap.read(firm, code=1))
    assert "reportedly ends when the user who gave it is deleted in e-conomic" in line
    assert "e-conomic's message: \"Unauthorized access" in line


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("customer_contacts", "Unauthorized access. Check both tokens"),
        ("units", "Unauthorized access (Unauthorized). Check both tokens"),
    ],
)
def test_a_grant_revoked_in_mid_run_ends_its_agreement_once(
    warm_tap: TapRunner, refused: str, words: str
) -> None:
    grants = small_grants(GRANT)
    company = Watched(grants[GRANT].company, lambda _: sandbox.revoke(GRANT))
    sandbox = canary_sandbox({GRANT: type(grants[GRANT])(company)})
    with sandbox:
        # /self is answered from the company's rows too: the grant is revoked right after it.
        streams = ("agreements", refused, "vat_zones", "vat_types")
        run = warm_tap.read(sandbox, *streams, code=1, concurrency=1)
        asked = [r.path for r in sandbox.log]
    assert list(run.records) == ["agreements"]
    assert len(asked) == 2, "nothing more is asked for after the first 401"
    assert len([line for line in run.errors if words in line]) == 2, "when it happens, at the end"
    keeps_secrets(run)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("customer_contacts", "/customersapi/v9.9.9/Contacts"),
        ("orders_lines", "/q2capi/v9.9.9/orders/drafts/lines"),
    ],
)
def test_a_version_that_is_not_served_is_named(
    warm_tap: TapRunner, firm: Sandbox, stream: str, path: str, status: int
) -> None:
    module = path.split("/")[1]
    firm.retire(module, "9.9.9", status)
    run = warm_tap.read(firm, stream, "units", code=1, openapi_versions={module: "9.9.9"})
    assert set(run.records) == {"units"}
    line = next(line for line in run.errors if f"Failed: {stream}" in line)
    assert f"{status}" in line
    assert path in line
    assert "openapi_versions" in line
    keeps_secrets(run)


def test_a_stream_map_that_fails_on_a_row_fails_its_stream_alone(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    for expression in (GRANT.replace("-", "_"), "name['x']", "1 / 0"):
        maps = {"units": {"x": expression}}
        run = warm_tap.read(firm, "units", "vat_zones", code=1, stream_maps=maps)
        assert "the stream map of units cannot be applied" in run.errors[-2]
        assert run.records["vat_zones"]
        assert "Traceback" not in run.stderr
        assert GRANT.replace("-", "_") not in run.stderr


def test_an_unwritable_batch_folder_is_reported(warm_tap: TapRunner, firm: Sandbox) -> None:
    run = warm_tap.read(firm, "units", code=1, batch_config=batches("file:///proc/nowhere"))
    assert "A file cannot be read or written" in run.errors[-1]
    keeps_secrets(run)


@pytest.mark.parametrize(
    ("batch", "package"), [(batches("s3://a/b"), "s3fs"), (batches("/", "parquet"), "pyarrow")]
)
def test_a_missing_package_for_batches_is_named(
    warm_tap: TapRunner, firm: Sandbox, batch: dict[str, Any], package: str
) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is there")
    run = warm_tap.read(firm, "units", code=1, batch_config=batch)
    assert "The setting batch_config needs a package that is not installed" in run.errors[-1]
    assert package in run.errors[-1]
    keeps_secrets(run)


# The file .env


def test_an_env_file_adds_to_the_environment(warm_tap: TapRunner, good: dict[str, Any]) -> None:
    lines = [f"{PREFIX}{name.upper()}='{text}'\n" for name, text in good.items()]
    (warm_tap.folder / ".env").write_text("".join(lines))
    catalog = warm_tap.catalog_of("units")
    run = warm_tap(None, "--config=ENV", catalog=catalog)
    assert run.exit_code == 0, run.stderr
    assert len(run.records["units"]) == 5
    keeps_secrets(run)
    other = {f"{PREFIX}AGREEMENT_GRANT_TOKEN": CANARY + "unknown"}
    run = warm_tap(None, "--config=ENV", catalog=catalog, env=other)
    assert "e-conomic rejected the tokens" in says_one_thing(run), "the environment itself wins"
    assert "app_secret_token is missing" in says_one_thing(warm_tap({}, catalog=catalog))


def test_an_env_file_that_is_not_utf8_is_named(warm_tap: TapRunner) -> None:
    (warm_tap.folder / ".env").write_bytes(f"{PREFIX}APP_SECRET_TOKEN={APP}\xff".encode("latin-1"))
    assert ".env is not text in UTF-8" in says_one_thing(warm_tap(None, "--config=ENV"))


def test_a_package_in_the_wrong_version_is_reported(run_tap: TapRunner) -> None:
    """A target that pins an old jsonschema, installed beside the tap, puts it there."""
    (run_tap.folder / "jsonschema").mkdir()
    (run_tap.folder / "jsonschema/__init__.py").write_text("from jsonschema import validators\n")
    (run_tap.folder / "jsonschema/validators.py").write_text("Draft3Validator = None\n")
    run = run_tap(None, env={"PYTHONPATH": str(run_tap.folder)})
    assert run.exit_code == 1
    assert "Give each an environment of its own" in run.stderr
    assert len(run.stderr.splitlines()) == 1
