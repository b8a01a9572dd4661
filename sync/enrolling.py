"""Enrolling this machine as a kiosk: a one-time ticket and a key made here; central proves itself."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from kiosk import enrolment, keystore
from kiosk.clock import Clock
from kiosk.enrolment import EnrolmentBundle
from kiosk.errors import CentralFault, EnvironmentFault, OfficerFault
from kiosk.journal_walk import public_key_meta
from kiosk.ledger import LEDGER_FILE, Ledger
from sync.client import new_session, open_answer_or_name_it, refused, send
from sync.signature import ENROL_KEYID, new_nonce, sign_request
from sync.wire import EnrolAnswer, EnrolRequest


def enrol(
    home: Path, ticket: str, url: str, clock: Clock, *, ca_file: str = "", proxy: str = ""
) -> EnrolmentBundle:
    """Enrols this machine and makes its keys and ledger; safe to repeat with the same ticket.

    Central is believed because its root key fits the ticket's fingerprint. Raises OfficerFault
    ``ticket_malformed``; CentralFault ``central_foreign`` (another city's central, or somebody between),
    ``enrolment_refused`` and what a call raises; EnvironmentFault for the folder and the keys.
    """
    try:
        ticket = enrolment.normalise_ticket(ticket)
    except ValueError:
        raise OfficerFault("ticket_malformed", "a ticket looks like XXXX-XXXX-XXXX-XXXX-FFFFFFFF") from None
    if urlsplit(url).scheme not in ("http", "https"):
        raise OfficerFault("url_malformed", "central's address begins with https://")
    make_home(home)
    try:
        keys = keystore.load(home)
    except EnvironmentFault as fault:
        if fault.code != "keys_missing":
            raise
        keys = keystore.create(home)
    request = EnrolRequest(ticket=ticket, public=keys.public())
    answer = _ask(url.rstrip("/"), request, keys, ticket, clock, ca_file, proxy)
    roots = (answer.roots[0], answer.roots[1])
    # The pepper first: a kiosk that is enrolled must have it, and until then a stop is mended by repeating.
    keystore.adopt_pepper(home, keys, answer.pepper)
    bundle = enrolment.save(
        home, answer.enrolment, answer.keyset, roots, url.rstrip("/"), device=keys.public()
    )
    ledger = Ledger(home / LEDGER_FILE, keys.database_key, create=True)
    try:
        ledger.set_meta(
            **{public_key_meta(bundle.enrolment.gen): keys.public().hex(), "frozen": "", "grant_rev": "0"}
        )
    finally:
        ledger.close()
    return bundle


def make_home(home: Path) -> None:
    """Makes the data folder, for this user only. Raises EnvironmentFault ``data_folder_read_only``."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault("data_folder_read_only", f"{home}: {error.strerror}") from error


def _ask(
    url: str,
    request: EnrolRequest,
    keys: keystore.DeviceKeys,
    ticket: str,
    clock: Clock,
    ca_file: str,
    proxy: str,
) -> EnrolAnswer:
    body = request.model_dump_json().encode()
    nonce = new_nonce()
    target = url + "/v1/enrol"
    headers = sign_request(
        "POST", target, body, keys.signer(), ENROL_KEYID, nonce=nonce, created=clock.now().timestamp()
    )
    with new_session(ca_file, proxy) as session:
        status, answer_headers, answer_body = send(session, "POST", target, headers, body, 20.0)
    if status >= 400:
        raise refused(status, answer_headers, answer_body, signed=False)
    try:
        answer = EnrolAnswer.model_validate_json(answer_body)
    except ValueError as error:
        raise CentralFault("answer_refused", "not an answer of central: is it a sign-in page?") from error
    if len(answer.roots) != 2:
        raise CentralFault("answer_refused", "two root keys are needed")
    keyset = enrolment.first_keyset(ticket, answer.keyset, (answer.roots[0], answer.roots[1]))
    open_answer_or_name_it(status, answer_headers, answer_body, nonce, keyset.central_key)
    return answer
