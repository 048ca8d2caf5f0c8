"""The sandbox's webhooks: written as e-conomic documents, and fired as a company lives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.life import Life
from tests.sandbox import Grant, Sandbox
from tests.sandbox.client import Answer, get
from tests.sandbox.company import Company, build_company
from tests.sandbox.deliveries import FORMS, Deliveries, Delivery, Disorder
from tests.sandbox.webhooks import EVENT_TYPES, LISTING

API = "/webhooksapi/v1.0.0"
HOOK = {
    "eventType": "INVOICE_BOOKED",
    "name": "Til lageret",
    "url": "https://hooks.example.dk/1234567/INVOICE_BOOKED",
    "contentType": "text/plain",
    "postData": "INVOICENO=[INVOICENO]",
    "customHeaders": [{"key": "X-Secret", "value": "s3cr3t"}],
}


@pytest.fixture
def company() -> Company:
    company = build_company(1234567, "Firma", seed=7, entries=300)
    company.rows(LISTING).clear()  # type: ignore[attr-defined]
    return company


@pytest.fixture
def sandbox(company: Company) -> Iterator[Sandbox]:
    grants = {"demo": Grant(company), "bookkeeping": Grant(company, role="Bookkeeping")}
    with Sandbox(grants) as running:
        yield running


def write(
    sandbox: Sandbox,
    method: str,
    body: dict[str, Any] | None = None,
    *,
    event: str = "",
    key: str = "",
    grant: str = "demo",
    kind: str = "application/json",
) -> Answer:
    return get(
        sandbox,
        f"{API}/webhooks{'/' if event else ''}{event}",
        grant,
        method=method,
        body=None if body is None else json.dumps(body),
        headers={"Content-Type": kind, **({"Idempotency-Key": key} if key else {})},
    )


def listed(sandbox: Sandbox) -> list[dict[str, Any]]:
    return get(sandbox, f"{API}/webhooks").rows


# Writing


def test_a_webhook_is_made_changed_and_deleted(sandbox: Sandbox) -> None:
    made = write(sandbox, "POST", HOOK)
    assert (made.status, made.json) == (201, {"eventType": "INVOICE_BOOKED"})
    assert made.headers["Location"] == f"{API}/webhooks/INVOICE_BOOKED"
    (hook,) = listed(sandbox)
    assert HOOK.items() <= hook.items()
    assert "isDisabled" not in hook, "false is left out"
    changed = {k: v for k, v in hook.items() if k != "postData"} | {"isDisabled": True}
    assert write(sandbox, "PUT", changed).status == 204
    after = get(sandbox, f"{API}/webhooks/INVOICE_BOOKED").json
    assert "postData" not in after, "what is not sent is emptied"
    assert (after["isDisabled"], "lastDisabledDate" in after) == (True, True)
    assert after["objectVersion"] != hook["objectVersion"]
    assert write(sandbox, "DELETE", event="INVOICE_BOOKED").status == 204
    assert listed(sandbox) == []
    assert write(sandbox, "DELETE", event="INVOICE_BOOKED").status == 404
    assert write(sandbox, "PUT", after).status == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"eventType": "NO_SUCH"}, "WebhookInvalidType"),
        ({"url": "http://hooks.example.dk/"}, "WebhookInvalidUrlScheme"),
        ({"url": "hooks.example.dk"}, "WebhookInvalidUrl"),
        ({"url": "https://a b.dk"}, "WebhookInvalidUrl"),
        ({"customHeaders": [{"key": f"X-{n}", "value": "1"} for n in range(6)]}, "TooMany"),
        ({"customHeaders": [{"key": "X-1", "value": "x" * 1000}]}, "TooLong"),
        ({"customHeaders": [{"key": "X-1", "value": "a\r\nb"}]}, "WebhookCustomHeaderInvalid"),
        ({"name": ""}, "ValidationError"),
        ({"name": "x" * 101}, "ValidationError"),
        ({"postData": "x" * 4001}, "ValidationError"),
        ({"postData": None}, "ValidationError"),
    ],
)
def test_what_is_not_valid_gets_a_documented_code(
    sandbox: Sandbox, change: dict[str, Any], code: str
) -> None:
    answer = write(sandbox, "POST", {**HOOK, **change})
    assert (answer.status, code in answer.json["errorCode"]) == (400, True)
    assert answer.json["errors"][0]["errorCode"] == answer.json["errorCode"]
    assert listed(sandbox) == []


def test_there_is_one_webhook_per_event_type_be_it_listed_or_not(
    sandbox: Sandbox, company: Company
) -> None:
    assert write(sandbox, "POST", HOOK).status == 201
    again = write(sandbox, "POST", HOOK)
    assert (again.status, again.json["errorCode"]) == (400, "WebhookAlreadyExistsForEventType")
    other = {**HOOK, "eventType": "ORDER_UPDATED"}
    sandbox.webhooks.unlisted[company.agreement_number, "ORDER_UPDATED"] = other
    taken = write(sandbox, "POST", other)
    assert taken.json["errorCode"] == "WebhookAlreadyExistsForEventType"
    assert [hook["eventType"] for hook in listed(sandbox)] == ["INVOICE_BOOKED"]
    assert get(sandbox, f"{API}/webhooks/ORDER_UPDATED").status == 404


def test_a_change_of_an_older_version_is_a_conflict(sandbox: Sandbox) -> None:
    write(sandbox, "POST", HOOK)
    (hook,) = listed(sandbox)
    assert write(sandbox, "PUT", HOOK).status == 409, "no version"
    assert write(sandbox, "PUT", hook).status == 204
    conflict = write(sandbox, "PUT", hook)
    assert (conflict.status, conflict.json["errorCode"]) == (409, "UpdateConflict")


def test_what_is_read_only_stays(sandbox: Sandbox, company: Company) -> None:
    write(sandbox, "POST", HOOK)
    sandbox.webhooks.read_only.add((company.agreement_number, "INVOICE_BOOKED"))
    (hook,) = listed(sandbox)
    for answer in (write(sandbox, "PUT", hook), write(sandbox, "DELETE", event="INVOICE_BOOKED")):
        assert answer.json["errorCode"] == "WebhookReadOnly"
    assert listed(sandbox) == [hook]


def test_who_may_not_write_or_writes_elsewhere(sandbox: Sandbox) -> None:
    assert write(sandbox, "POST", HOOK, grant="bookkeeping").status == 403
    assert write(sandbox, "POST", HOOK, grant="unknown").status == 401
    assert write(sandbox, "POST", HOOK, kind="text/plain").status == 415
    assert write(sandbox, "PUT", HOOK, event="INVOICE_BOOKED").status == 405
    assert write(sandbox, "DELETE").status == 405
    assert get(sandbox, f"{API}/EventTypes", method="POST").status == 405
    assert get(sandbox, "/customers", method="POST").status == 405


def test_a_key_repeats_the_response_for_an_hour() -> None:
    company = build_company(1234567, "Firma", seed=7, entries=300)
    company.rows(LISTING).clear()  # type: ignore[attr-defined]
    now = [1_800_000_000.0]
    with Sandbox({"demo": Grant(company)}, clock=lambda: now[0]) as sandbox:
        first = write(sandbox, "POST", HOOK, key="a")
        again = write(sandbox, "POST", HOOK, key="a")
        assert (first.status, again.status, again.json) == (201, 201, first.json)
        assert again.headers["X-ResultFromCache"] == "true"
        assert "X-ResultFromCache" not in first.headers
        assert write(sandbox, "POST", HOOK, key="b").status == 400
        now[0] += 3600
        assert write(sandbox, "POST", HOOK, key="a").status == 400


def test_a_write_whose_answer_is_lost_is_done_and_one_that_failed_is_not(sandbox: Sandbox) -> None:
    sandbox.faults.add("/webhooks", "status", status=503)
    assert write(sandbox, "POST", HOOK).status == 503
    assert listed(sandbox) == []
    sandbox.faults.add("/webhooks", "close")
    with pytest.raises(ConnectionError):
        write(sandbox, "POST", HOOK)
    assert len(listed(sandbox)) == 1


# Firing


class Fired(Deliveries):
    """Deliveries of what happens to a company, to a receiver that keeps them."""

    def __init__(
        self, sandbox: Sandbox, company: Company, disorder: Disorder | None = None
    ) -> None:
        super().__init__(sandbox.webhooks, {}, disorder)
        self.watch(company)
        self.status = 200
        self.got: list[Delivery] = []

    @property
    def bodies(self) -> list[str]:
        return [one.body.decode() for one in self.got]

    def _send(self, one: Delivery) -> int:
        self.got.append(one)
        return self.status


def fired(sandbox: Sandbox, company: Company, disorder: Disorder | None = None) -> Fired:
    """A webhook for each event, and a receiver for them."""
    types: Any = company.rows(EVENT_TYPES)
    for row in types:
        fields = [field["fieldName"] for field in row["mergeFields"]]
        hook = {
            **HOOK,
            "eventType": row["name"],
            "url": f"https://hooks.example.dk/1234567/{row['name']}",
            "postData": "\n".join(f"{name}=[{name}]" for name in fields),
        }
        assert write(sandbox, "POST", hook).status == 201
    return Fired(sandbox, company, disorder)


def test_what_happens_is_sent_as_the_webhook_says(sandbox: Sandbox, company: Company) -> None:
    deliveries = fired(sandbox, company)
    customer = company.world.customers[0].number
    number = company.sell(customer, company.world.products[0].number)
    assert deliveries.got == [], "not at once"
    deliveries.deliver()
    (one,) = deliveries.got
    assert (one.method, one.url) == ("POST", "https://hooks.example.dk/1234567/INVOICE_BOOKED")
    assert one.body.decode() == f"INVOICENO={number}"
    assert one.headers == {"X-Secret": "s3cr3t", "Content-Type": "text/plain"}
    company.book(company.world.today, "Bilag", [(3410, Decimal(1)), (5820, Decimal(-1))])
    order = company.draft("orders", customer, company.world.products[0].number)
    company.draft("invoices", customer, company.world.products[0].number)  # no event
    company.rename_project(1, "Nyt navn")
    deliveries.deliver()
    last = company.world.ledger.next_number - 1
    assert deliveries.bodies[1:] == [
        f"DAYBOOKNO=1\nFROMSERIALNO={last - 1}\nTOSERIALNO={last}",
        f"OLDNUMBER={order}\nNEWNUMBER={order}",
        "OLDNUMBER=1\nNEWNUMBER=1",
    ]


def test_a_life_fires_every_kind_of_event() -> None:
    life = Life(3, entries=300)
    life.company.rows(LISTING).clear()  # type: ignore[attr-defined]
    with Sandbox({"demo": Grant(life.company)}) as sandbox:
        deliveries = fired(sandbox, life.company)
    for _ in range(60):
        life.dawns()
        for _ in range(3):
            life.happens()
    deliveries.deliver()
    types: Any = life.company.rows(EVENT_TYPES)
    assert {one.event for one in deliveries.done} == {row["name"] for row in types}
    assert any("NEWNUMBER=" in body.splitlines() for body in deliveries.bodies), "deletions"


def sold(company: Company, times: int = 60) -> list[str]:
    """Book invoices; returns the bodies of their events."""
    customer, product = company.world.customers[0].number, company.world.products[0].number
    return [f"INVOICENO={company.sell(customer, product)}" for _ in range(times)]


def test_events_are_lost_doubled_late_and_reordered(sandbox: Sandbox, company: Company) -> None:
    disorder = Disorder(lost=0.2, doubled=0.2, late=0.5, reordered=True, seed=5)
    deliveries = fired(sandbox, company, disorder)
    right = sold(company)
    deliveries.deliver()
    assert deliveries.waiting, "some are late"
    before = len(deliveries.got)
    deliveries.deliver(everything=True)
    assert len(deliveries.got) > before
    assert deliveries.waiting == []
    got = deliveries.bodies
    assert deliveries.lost
    lost = {one.body.decode() for one in deliveries.lost}
    assert set(got) == set(right) - lost
    assert len(got) > len(set(got)), "some are doubled"
    assert got != sorted(got, key=right.index)


def test_bodies_come_in_every_form(sandbox: Sandbox, company: Company) -> None:
    deliveries = fired(sandbox, company, Disorder(forms=FORMS))
    number = sold(company)[0].removeprefix("INVOICENO=")
    deliveries.deliver()
    first = {body.replace(number, "N") for body in deliveries.bodies}
    assert len(first) > 3
    kinds = {one.headers.get("Content-Type") for one in deliveries.got}
    assert kinds == {
        "text/plain",
        "application/json",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
        None,
    }
    assert any("?INVOICENO=" in one.url for one in deliveries.got)
    assert any(body.startswith("invoiceno=") for body in deliveries.bodies)


def test_a_webhook_whose_receiver_fails_is_repeated_and_then_switched_off(
    sandbox: Sandbox, company: Company
) -> None:
    deliveries = fired(sandbox, company, Disorder(tries=3, disables_after=5))
    deliveries.status = 503
    sold(company, 2)
    for _ in range(3):
        deliveries.deliver()
    assert [one.statuses for one in deliveries.done] == [[503] * 3] * 2
    hook = get(sandbox, f"{API}/webhooks/INVOICE_BOOKED").json
    assert (hook["isDisabled"], "lastDisabledDate" in hook) == (True, True)
    deliveries.status = 200
    sold(company, 1)
    assert deliveries.waiting == [], "nothing is sent of what happens while it is off"
    del hook["isDisabled"]
    assert write(sandbox, "PUT", hook).status == 204
    (body,) = sold(company, 1)
    deliveries.deliver()
    assert deliveries.bodies[-1] == body


def test_whether_deletions_are_events_is_not_known(sandbox: Sandbox, company: Company) -> None:
    customer, product = company.world.customers[0].number, company.world.products[0].number
    deliveries = fired(sandbox, company)
    order = company.draft("orders", customer, product)
    company.forward("orders", "drafts", order, None)
    deliveries.deliver()
    assert deliveries.bodies[-1] == f"OLDNUMBER={order}\nNEWNUMBER="
    deliveries.disorder.deletions = False
    order = company.draft("orders", customer, product)
    company.forward("orders", "drafts", order, None)
    deliveries.deliver()
    assert deliveries.bodies[-1] == f"OLDNUMBER={order}\nNEWNUMBER={order}"


def test_webhooks_made_by_hand_fire_too(sandbox: Sandbox, company: Company) -> None:
    url = "https://hooks.example.dk/hmac/1234567/INVOICE_BOOKED?n=[INVOICENO]"
    by_hand = {**HOOK, "url": url, "customHeaders": []}
    sandbox.webhooks.unlisted[1234567, "INVOICE_BOOKED"] = by_hand
    deliveries = Fired(sandbox, company)
    (body,) = sold(company, 1)
    deliveries.deliver()
    deliveries.disorder.forms = ("query",)
    sold(company, 1)
    deliveries.deliver()
    posted, gotten = deliveries.got
    number = body.removeprefix("INVOICENO=")
    assert (posted.method, posted.url) == ("POST", url.replace("[INVOICENO]", number))
    assert gotten.method == "GET"
