"""Tokens appear in requests to the configured origins and nowhere else, whatever goes wrong.

Every token here begins with a canary, and everything that a run leaves behind is searched for it.
"""

from __future__ import annotations

import json
import re
import socket
import socketserver
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local import environment
from tap_visma_economic.config import SETTINGS
from tap_visma_economic.errors import ConfigError
from tap_visma_economic.tap import TapVismaEconomic
from tests.conftest import clean_environment, settings_for
from tests.sandbox.certificate import make_certificate
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from tests.conftest import TapRunner
    from tests.sandbox import Sandbox
    from tests.support import Firm

AWKWARD = CANARY + "a\\b'c\"d"
"""A token that changes when it is quoted."""

PREFIX = "TAP_VISMA_ECONOMIC_"
TOKENS = {"app_secret_token": APP, "agreement_grant_token": GRANT}

# Settings that cannot work

OWN = SETTINGS.to_dict()["properties"]
OF_THE_SDK = ("batch_config", "faker_config", "flattening_enabled", "stream_maps")
SHAPES: dict[str, Any] = {
    "text": AWKWARD,
    "list": [AWKWARD],
    "object": {AWKWARD: AWKWARD},
    "nested": {"agreement_grant_token": {"agreement_grant_token": [AWKWARD]}},
    "list of objects": [{"agreement_grant_token": AWKWARD, "name": AWKWARD}],
}


def words_of(config: dict[str, Any], **options: Any) -> str:
    """All that the settings bring about: the error, its traceback and what it was caused by."""
    try:
        TapVismaEconomic(config=config, **options)
    except ConfigError as error:
        return "".join(traceback.format_exception(error))
    return ""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [*OWN, *OF_THE_SDK])
@pytest.mark.parametrize("known", [True, False])
def test_no_setting_shows_a_token_that_stands_in_it(
    name: str, shape: str, known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    secret = AWKWARD if known else APP
    words = words_of({**TOKENS, "app_secret_token": secret, name: SHAPES[shape]})
    assert CANARY not in words + caplog.text


def test_these_settings_are_in_fact_rejected() -> None:
    """Otherwise the test above would prove nothing."""
    refused = {
        name for name in OWN for shape in SHAPES.values() if words_of({**TOKENS, name: shape})
    }
    assert refused == set(OWN)


@pytest.mark.parametrize("name", [name for name in OWN if "string" not in OWN[name]["type"]])
def test_no_variable_shows_a_token_that_stands_in_it(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (AWKWARD, json.dumps(SHAPES["object"]), json.dumps(SHAPES["list"])):
        monkeypatch.setenv(PREFIX + name.upper(), text)
        words = words_of(TOKENS, parse_env_config=True)
        assert CANARY not in words + caplog.text


@pytest.mark.parametrize("known", [GRANT, f"{CANARY}unknown-Zq81xW", f"{CANARY}UNKNOWN9"])
def test_no_name_of_a_setting_or_variable_shows_a_token(firm: Firm, known: str) -> None:
    env = {PREFIX + known: "1", PREFIX + known.upper(): "1"}
    unknown: dict[str, Any] = {known: 1}
    run = firm.read("units", extra=["--config=ENV"], env=env, **unknown)
    assert len([line for line in run.warnings if "Ignoring unknown setting" in line]) == 3
    assert CANARY not in run.stderr.lower()


@pytest.mark.parametrize(
    "argument",
    [f'--config={{"app_secret_token": "{APP}"}}', f'--config= {{"app_secret_token": "{APP}"'],
)
def test_settings_instead_of_their_file_are_not_shown(warm_tap: TapRunner, argument: str) -> None:
    run = warm_tap(None, argument)
    assert run.exit_code != 0
    assert "--config takes the path of a file, not the settings" in run.stderr
    assert CANARY not in run.stderr + str(run.messages)


# What a run leaves behind

LOUD = """
import http.client, logging, sys
http.client.HTTPConnection.debuglevel = 1
logging.getLogger("urllib3").setLevel(logging.DEBUG)
print("loud", file=sys.stderr)
"""
BROKEN = """
import tap_visma_economic.records.pages
def broken(response, *_):
    tokens = dict(response.request.headers)
    raise RuntimeError(f"a defect at {response.request.path_url}")
tap_visma_economic.records.pages.rest_collection = broken
"""
JSON_LOG = """
version: 1
disable_existing_loggers: false
formatters:
  structured: {(): singer_sdk.logging.StructuredFormatter}
handlers:
  all: {class: logging.StreamHandler, formatter: structured, stream: ext://sys.stderr, level: DEBUG}
root: {level: DEBUG, handlers: [all]}
"""


def debugging(folder: Path, code: str, *, structured: bool) -> dict[str, str]:
    """An environment in which a run tells all it can, after running some code of ours."""
    (folder / "sitecustomize.py").write_text(code)
    (folder / "log.yml").write_text(JSON_LOG)
    env = {"PYTHONPATH": str(folder), "PYTHONDEVMODE": "1", "TAP_VISMA_ECONOMIC_LOGLEVEL": "DEBUG"}
    return {**env, "SINGER_SDK_LOG_CONFIG": str(folder / "log.yml")} if structured else env


@pytest.mark.parametrize("structured", [False, True])
def test_a_run_with_faults_that_tells_all_it_can_shows_no_token(
    run_tap: TapRunner, structured: bool
) -> None:
    with canary_sandbox() as sandbox:
        echo = {"message": f"Bad tokens {APP} {GRANT}"}
        always(sandbox, "/units", 500, echo, grant=GRANT)
        always(sandbox, "/customers", 400, echo, grant=GRANT)
        sandbox.faults.add("/vat-zones", "html200", times=None)
        sandbox.faults.add("/accounts", "reset", times=None)
        sandbox.faults.add(
            "/vat-accounts", "html200", headers={"Content-Type": GRANT}, grant=GRANT, times=None
        )
        cut = {"message": "x" * 290 + GRANT, "logId": APP}
        always(sandbox, "/employees", 400, cut, grant=GRANT)
        always(sandbox, "/layouts", 302, headers={"Location": "/self"})
        always(sandbox, "/vat-types", 401, grant=GRANT_2)
        sandbox.revoke(GRANT_3)
        env = debugging(run_tap.folder, LOUD, structured=structured)
        run = run_tap.read(sandbox, code=1, env=env, max_wait_minutes=0)
    assert "loud" in run.stderr
    assert "GET /self HTTP/1.1" in run.stderr, "urllib3 tells of its requests"
    assert run.records["booked_entries"]
    assert CANARY not in run.stderr
    assert CANARY not in str(run.messages), "records, schemas and state"


@pytest.mark.parametrize(
    "option",
    [
        {"__filter__": f"'{CANARY}' == name or config['salt']"},
        {"__alias__": f"'units' if '{CANARY}' else ''"},
    ],
    ids=["filter", "alias"],
)
@pytest.mark.parametrize("structured", [False, True])
def test_a_run_with_stream_maps_shows_neither_their_texts_nor_what_they_give(
    warm_tap: TapRunner, firm: Firm, option: dict[str, Any], structured: bool
) -> None:
    """The SDK tells filters as news, and in debug output what an expression gave."""
    maps, salt = {"units": option}, {"salt": f"{CANARY}salt"}
    env = debugging(warm_tap.folder, "", structured=structured)
    run = firm.read("units", env=env, stream_maps=maps, stream_map_config=salt)
    assert len(run.records["units"]) == 5
    assert CANARY not in run.stderr
    assert CANARY not in str(run.messages)


HEADERS = [{"key": "X-Api-Key", "value": f"{CANARY}1"}, {"key": "X-2", "value": f"{CANARY}2"}]
MASKED: list[tuple[str, Any, Any]] = [
    ("customHeaders", HEADERS, [{**header, "value": "***"} for header in HEADERS]),
    ("url", f"https://a.dk/hook?key={CANARY}1&n=[NR]", "https://a.dk/hook?key=***&n=[NR]"),
    ("url", f"https://u:{CANARY}1@a.dk/hook", "https://***@a.dk/hook"),
    ("url", f"https://a.dk/?{CANARY}1", "https://a.dk/?***"),
    ("url", f"https://a.dk/?{CANARY}1==", "https://a.dk/?***"),
    ("url", f"https://a.dk/x#{CANARY}1", "https://a.dk/x"),
    ("postData", f"n=[NEWNUMBER]&key={CANARY}1", "n=[NEWNUMBER]&key=***"),
    ("postData", f"n=[NEWNUMBER]{CANARY}", "n=***"),
    ("postData", f'{{"n": "[NEWNUMBER]", "key": "{CANARY}1=="}}', "***"),
    ("postData", None, None),
]


def test_what_a_receiver_of_webhooks_knows_its_sender_by_is_masked(firm: Firm) -> None:
    """Names and merge fields stay."""
    (row, *_) = firm.grants[GRANT].company.rows("webhooksapi:/webhooks")
    rows = [{**row, "eventType": str(n), name: value} for n, (name, value, _) in enumerate(MASKED)]
    firm.always("/webhooks$", 200, {"items": rows})
    run = firm.read("webhooks")
    found = zip(run.records["webhooks"], MASKED, strict=True)
    assert [record.get(name) for record, (name, _, _) in found] == [it[2] for it in MASKED]
    keeps_secrets(run)


def test_a_webhook_listing_that_cannot_be_read_puts_no_secret_into_the_log(firm: Firm) -> None:
    body = f'{{"items": [{{"eventType": "X", "postData": "{CANARY}1'.encode()
    firm.always("/webhooks", 200, body)
    keeps_secrets(firm.read("webhooks", code=1, max_wait_minutes=0.01))


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("wrong", ["ca_bundle", "bookmark", "catalog", "alias"])
def test_a_token_in_the_wrong_place_is_not_repeated(
    warm_tap: TapRunner, firm: Firm, wrong: str, structured: bool
) -> None:
    """What is no setting is told as it was typed, but for a token of this run."""
    catalog = warm_tap.catalog_of("openapi_accounts", "units")
    partition = {"context": {"agreementNumber": NUMBER}, "replication_key": "lastUpdated"}
    state = {
        "bookmarks": {
            "openapi_accounts": {"partitions": [{**partition, "replication_key_value": GRANT}]}
        }
    }
    if wrong == "catalog":
        catalog["streams"].append({**catalog["streams"][0], "tap_stream_id": GRANT})
    more: dict[str, dict[str, Any]] = {
        "ca_bundle": {"ca_bundle": f"/{GRANT}"},
        "alias": {"stream_maps": {"units": {"__alias__": GRANT}}},
    }
    run = warm_tap(
        settings_for(firm, GRANT, all_streams=True, **more.get(wrong, {})),
        catalog=catalog,
        state=state if wrong == "bookmark" else None,
        env=debugging(warm_tap.folder, "", structured=structured),
    )
    if wrong in {"ca_bundle", "catalog"}:
        assert "(a token)" in run.stderr
    assert CANARY not in run.stderr


def test_connecting_does_not_repeat_a_token_in_the_wrong_place(run_tap: TapRunner) -> None:
    env = environment({"app_secret_token": APP, "ca_bundle": f"/{APP}"})
    command = [sys.executable, "-m", "tap_visma_economic.connect", "--export"]
    code, out, err = run_tap.execute(command, {**clean_environment(), **env})
    assert code == 1
    assert b"ca_bundle /(a token) cannot be used" in err
    assert CANARY.encode() not in out + err


def test_the_debug_output_of_http_client_would_show_tokens_otherwise(tmp_path: Path) -> None:
    """What the test above guards against does happen to a plain session of requests."""
    code = f"import requests; requests.get({{!r}}, headers={{{{'X-AppSecretToken': {APP!r}}}}})"
    env = {**clean_environment(), **debugging(tmp_path, LOUD, structured=False)}
    with canary_sandbox() as sandbox:
        command = [sys.executable, "-c", code.format(f"{sandbox.url}/self")]
        told = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
    assert APP.encode() in told.stdout


@pytest.mark.parametrize("structured", [False, True])
def test_a_defect_of_the_tap_shows_where_it_is_and_no_token(
    run_tap: TapRunner, firm: Firm, structured: bool
) -> None:
    env = debugging(run_tap.folder, BROKEN, structured=structured)
    run = run_tap.read(firm, "units", code=1, env=env)
    assert "a defect at /units" in run.stderr
    assert CANARY not in run.stderr
    assert CANARY not in str(run.messages)


@pytest.mark.parametrize(
    "argument", ["--about", "--about --format=json", "--discover", "--version"]
)
def test_what_tells_of_the_tap_tells_no_token(warm_tap: TapRunner, argument: str) -> None:
    env = {PREFIX + name.upper(): token for name, token in TOKENS.items()}
    env[f"{PREFIX}LOGLEVEL"] = "DEBUG"
    for config in ({**TOKENS, "agreements": [{"agreement_grant_token": GRANT_2}]}, None):
        extra = argument.split() if config else [*argument.split(), "--config=ENV"]
        run = warm_tap(config, *extra, env=env)
        assert run.exit_code == 0, run.stderr
        assert run.messages
        assert CANARY not in run.stderr + str(run.messages)


# Where tokens go

WATCH = """
import pathlib, sys
def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        where = arguments[1] if event == "socket.connect" else arguments[:2]
        with open(pathlib.Path(__file__).with_name("reached"), "a") as file:
            print(event, *where[:2], file=file)
sys.addaudithook(watch)
"""


def test_nobody_is_called_but_the_configured_hosts(run_tap: TapRunner, firm: Firm) -> None:
    run_tap.read(firm, env=debugging(run_tap.folder, WATCH, structured=False))
    here = f"127.0.0.1 {firm.port}"
    reached = set((run_tap.folder / "reached").read_text().splitlines())
    assert reached == {f"socket.connect {here}", f"socket.getaddrinfo {here}"}


@pytest.mark.parametrize("name", ["rest_url", "openapi_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://restapi.e-conomic.com",
        "HTTP://RESTAPI.E-CONOMIC.COM",
        "http://10.0.0.1:8080",
        "http://127.0.0.2",
        "http://0.0.0.0",
        "http://[::ffff:10.0.0.1]",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1\\@example.com",
        "http://example.com#@127.0.0.1",
        "http://example.com/127.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "//127.0.0.1",
    ],
)
def test_plain_http_is_for_this_machine_alone(name: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} (must use https|is not a URL)"):
        TapVismaEconomic(config={**TOKENS, name: url})


@pytest.mark.parametrize("name", ["rest_url", "openapi_url"])
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:9"])
def test_plain_http_to_this_machine_is_allowed(name: str, host: str) -> None:
    TapVismaEconomic(config={**TOKENS, name: f"http://{host}"})


def test_plain_http_to_pandiums_host_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAN_SEC_VISMA_TENANT_URL", "http://tenant.example.com")
    with pytest.raises(ConfigError, match="rest_url must use https"):
        TapVismaEconomic(config=TOKENS)


def test_a_login_of_the_machine_is_not_sent_along(warm_tap: TapRunner, firm: Firm) -> None:
    login = warm_tap.folder / ".netrc"
    login.write_text(f"machine 127.0.0.1 login me password {CANARY}login\n")
    firm.read("units", env={"HOME": str(warm_tap.folder), "NETRC": str(login)})
    assert len(firm.log) == 2
    assert not [request for request in firm.log if "authorization" in request.headers]


class Proxy:
    """A proxy that tunnels every CONNECT to one port, and keeps what it could read."""

    def __init__(self, port: int, status: int = 200) -> None:
        seen: list[bytes] = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = self.request.recv(65_536)
                seen.append(head)
                self.request.sendall(b"HTTP/1.1 %d Said\r\n\r\n" % status)
                if status != 200:
                    return
                with socket.create_connection(("127.0.0.1", port)) as inner:
                    back = threading.Thread(target=_pass_on, args=(inner, self.request, []))
                    back.start()
                    _pass_on(self.request, inner, seen)
                    back.join()

        self.seen = seen
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pass_on(source: socket.socket, to: socket.socket, seen: list[bytes]) -> None:
    try:
        while data := source.recv(65_536):
            seen.append(data)
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for a host that only a proxy finds."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "e-conomic.test")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("status", [200, 407])
def test_a_proxy_sees_no_token_and_its_password_is_not_shown(
    warm_tap: TapRunner, named: Path, status: int
) -> None:
    with (
        canary_sandbox(small_grants(GRANT), certificate=named) as sandbox,
        Proxy(sandbox.port, status) as proxy,
    ):
        urls = dict.fromkeys(("rest_url", "openapi_url"), "https://e-conomic.test")
        settings: dict[str, Any] = {**urls, "ca_bundle": str(named), "max_wait_minutes": 0}
        address = f"http://me:{CANARY}password@127.0.0.1:{proxy.port}"
        env = {"HTTPS_PROXY": address, "https_proxy": address, "NO_PROXY": ""}
        env[f"{PREFIX}LOGLEVEL"] = "DEBUG"
        run = warm_tap.read(sandbox, "units", code=None, env=env, **settings)
    read = b"".join(proxy.seen)
    assert read.startswith(b"CONNECT e-conomic.test:443 ")
    assert CANARY.encode() not in read
    assert CANARY not in run.stderr
    if status == 200:
        assert (run.exit_code, len(run.records["units"])) == (0, 5)
    else:
        assert "the proxy refused the connection to e-conomic.test" in run.stderr


def test_an_address_of_this_machine_is_not_asked_for_through_a_proxy(firm: Firm) -> None:
    with Proxy(firm.port) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        env = {"HTTP_PROXY": address, "http_proxy": address, "ALL_PROXY": address, "NO_PROXY": ""}
        firm.read("units", env=env)
    assert proxy.seen == []


# TLS

NO_OWN_BUNDLE = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}


@pytest.fixture
def secure(local: Path) -> Iterator[Sandbox]:
    with canary_sandbox(small_grants(GRANT), certificate=local) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        ({}, {}),
        ({}, {"PYTHONHTTPSVERIFY": "0", "NODE_TLS_REJECT_UNAUTHORIZED": "0"}),
        ({}, {"CURL_INSECURE": "1", "REQUESTS_VERIFY": "false", "SSL_VERIFY": "0"}),
        ({"verify": False, "verify_ssl": False, "ssl_verify": False, "insecure": True}, {}),
        ({"ca_bundle": ""}, {}),
        ({"ca_bundle": None}, {}),
    ],
)
def test_a_certificate_that_nobody_vouches_for_gets_no_token(
    warm_tap: TapRunner, secure: Sandbox, settings: dict[str, Any], env: dict[str, str]
) -> None:
    run = warm_tap.read(secure, code=1, env={**NO_OWN_BUNDLE, **env}, **settings)
    assert "could not be verified" in run.stderr
    assert secure.log == []


@pytest.mark.parametrize("value", [False, "false", 0, "/dev/null", "/", "no"])
def test_ca_bundle_is_no_way_to_switch_verification_off(value: object) -> None:
    with pytest.raises(ConfigError, match="ca_bundle"):
        TapVismaEconomic(config={**TOKENS, "ca_bundle": value})


def test_a_certificate_for_another_host_gets_no_token(warm_tap: TapRunner, named: Path) -> None:
    with canary_sandbox(small_grants(GRANT), certificate=named) as sandbox:
        run = warm_tap.read(sandbox, code=1, env=NO_OWN_BUNDLE, ca_bundle=str(named))
        assert sandbox.log == []
    assert "could not be verified" in run.stderr


@pytest.mark.parametrize("where", ["setting", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_custom_bundle_of_certificates_is_trusted(
    warm_tap: TapRunner, secure: Sandbox, local: Path, where: str
) -> None:
    setting: dict[str, Any] = {"ca_bundle": str(local)} if where == "setting" else {}
    variable = {} if setting else {where: str(local)}
    run = warm_tap.read(secure, "units", env={**NO_OWN_BUNDLE, **variable}, **setting)
    assert len(run.records["units"]) == 5


def test_the_setting_wins_over_the_environment(
    warm_tap: TapRunner, secure: Sandbox, local: Path, named: Path
) -> None:
    env = {**NO_OWN_BUNDLE, "REQUESTS_CA_BUNDLE": str(local)}
    warm_tap.read(secure, code=1, env=env, ca_bundle=str(named))
    assert secure.log == []


def test_the_code_has_no_switch_for_verification() -> None:
    """`verify` is a path or True, wherever requests is told."""
    package = Path(__file__).parent.parent / "tap_visma_economic"
    code = "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    assert re.findall(r"verify=\S+", code) == ["verify=self._verify,"]
    assert re.findall(r"self\._verify\b.* = .*", code) == [
        "self._verify: str | bool = ca_bundle or True"
    ]
    assert not re.search(r"CERT_NONE|check_hostname|_create_unverified|disable_warnings", code)
