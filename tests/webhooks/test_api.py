"""The status for programs."""

from datetime import date, timedelta

from flask.testing import FlaskClient
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import WaitingOn
from meldbalie.tests.webhooks.installation import ARRIVAL, CANARIES, DUE, Installation

DAY = timedelta(days=1)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_api_tells_what_the_page_tells(client: FlaskClient, installation: Installation) -> None:
    token = installation.report(
        (TicketState.VALID, ARRIVAL + DAY),
        answered_at=ARRIVAL + DAY,
        fix_on=date(2026, 12, 4),
        waiting_on=WaitingOn.OWNER,
        shared_at=ARRIVAL,
        credit="pseudonym",
        ours=((ARRIVAL + DAY, "We are on it."),),
        theirs=(ARRIVAL + 2 * DAY,),
    )

    told = client.get("/api/v1/status", headers=bearer(token))

    assert told.json == {
        "reference": "CVD-2026-0042",
        "state": {
            "code": "VALID",
            "label": "Confirmed",
            "meaning": "We have confirmed the problem that you reported.",
            "next_step": "Next, we decide how the problem will be solved, and let you know.",
        },
        "waiting_on": {"code": "owner", "label": "The people who run the system"},
        "received_at": ARRIVAL.isoformat(),
        "response": {
            "due_at": DUE.isoformat(),
            "answered_at": (ARRIVAL + DAY).isoformat(),
            "outcome": "in_time",
            "no_date_because": "",
        },
        "expected_fix_on": "2026-12-04",
        "fix_is_late": False,
        "fixed_at": None,
        "embargo_ends_at": None,
        "publish_on": None,
        "proposals": [],
        "shared_with_ibd": {"at": ARRIVAL.isoformat(), "with_identity": False},
        "moves": [
            {"at": (ARRIVAL + DAY).isoformat(), "to": "VALID", "label": "Confirmed", "because": ""},
        ],
        "messages": [
            {
                "at": (ARRIVAL + DAY).isoformat(),
                "sender": "organisation",
                "text": "We are on it.",
                "asks": False,
            },
            {"at": (ARRIVAL + 2 * DAY).isoformat(), "sender": "reporter", "text": None, "asks": False},
        ],
        "credit": "pseudonym",
        "shares_identity": False,
        "closing": None,
        "problem": None,
        "updated_at": (ARRIVAL + 2 * DAY).isoformat(),
    }
    assert client.get(f"/api/v1/status/{token}").json == told.json


def test_a_closed_report_has_a_closing_and_waits_for_nobody(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report(
        (TicketState.INVALID, ARRIVAL),
        (TicketState.CLOSED, ARRIVAL + DAY),
        close_reason=CloseReason.WITHDRAWN,
        due_at=None,
    )

    told = client.get("/api/v1/status?lang=nl", headers=bearer(token)).json

    assert told
    assert told["closing"] == {
        "at": (ARRIVAL + DAY).isoformat(),
        "code": "withdrawn",
        "label": "ingetrokken door de melder",
    }
    assert told["state"]["label"] == "Afgesloten"
    assert told["waiting_on"] is None
    assert told["response"] is None


def test_no_canary_reaches_a_program(client: FlaskClient, installation: Installation) -> None:
    token = installation.report(
        shared_at=ARRIVAL, shares_identity=True, credit="name", theirs=(ARRIVAL + DAY,)
    )

    told = client.get("/api/v1/status", headers=bearer(token)).text.casefold()

    assert not [name for name, canary in CANARIES.items() if canary.casefold() in told]


def test_a_missing_token_is_asked_for_and_a_wrong_one_opens_nothing(client: FlaskClient) -> None:
    missing, basic = (
        client.get("/api/v1/status"),
        client.get("/api/v1/status", auth=("somebody", "something")),
    )
    wrong = client.get("/api/v1/status", headers=bearer("wrong"))

    for refused in (missing, basic):
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert wrong.status_code == 404
    assert wrong.mimetype == missing.mimetype == "application/problem+json"
    assert wrong.json
    assert (wrong.json["type"], wrong.json["title"], wrong.json["status"]) == (
        "about:blank",
        "Nothing here",
        404,
    )


def test_every_refusal_under_the_api_is_for_programs(client: FlaskClient) -> None:
    for response in (
        client.get("/api/"),
        client.get("/api/v1/nothing"),
        client.post("/api/v1/status"),
        client.get("/api/v1/status/a/b"),
    ):
        assert response.mimetype == "application/problem+json"
        assert response.json
        assert response.json["status"] == response.status_code


def test_the_description_names_both_forms_their_answers_and_the_fields(client: FlaskClient) -> None:
    described = client.get("/api/v1/openapi.json").json

    assert described
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {"/api/v1/status", "/api/v1/status/{token}"}
    by_header = described["paths"]["/api/v1/status"]["get"]
    assert by_header["security"] == [{"bearer": []}]
    assert set(by_header["responses"]) == {"200", "401", "404", "429"}
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "reference" in described["components"]["schemas"]["Status"]["properties"]
    assert described["components"]["schemas"]["State"]["properties"]["code"]["enum"]


def test_a_program_reads_until_when_both_keep_silent_and_what_was_proposed(
    client: FlaskClient, installation: Installation
) -> None:
    token, ends_at = installation.report(), ARRIVAL + 10 * DAY
    installation.propose(ARRIVAL, ends_at=ends_at, because="to mend it")
    installation.propose(ARRIVAL + DAY, publish_on=date(2026, 12, 4))

    told = client.get("/api/v1/status", headers=bearer(token)).json

    assert told
    assert (told["embargo_ends_at"], told["publish_on"]) == (ends_at.isoformat(), "2026-12-04")
    assert told["proposals"] == [
        {
            "at": ARRIVAL.isoformat(),
            "ends_at": ends_at.isoformat(),
            "publish_on": None,
            "because": "to mend it",
        },
        {"at": (ARRIVAL + DAY).isoformat(), "ends_at": None, "publish_on": "2026-12-04", "because": ""},
    ]
