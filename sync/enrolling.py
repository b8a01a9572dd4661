"""Enrolling this machine as a kiosk: a one-time ticket and a key made here; central proves itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import enrolment, key_roll, keystore, rollback
from kiosk.clock import Clock
from kiosk.enrolment import MAX_NAME_CHARS, PLACE_METAS, Enrolment, EnrolmentBundle
from kiosk.errors import CentralFault, EnvironmentFault, OfficerFault
from kiosk.journal import GENERATION_META
from kiosk.journal_walk import public_key_meta
from kiosk.keyset import open_keyset
from kiosk.keystore import public_of
from kiosk.ledger import LEDGER_FILE, Ledger
from sync import orders
from sync.client import open_answer_or_name_it, refused
from sync.signature import ENROL_KEYID, new_nonce, sign_request
from sync.transport import is_address, new_session, send
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
    url = _checked(url)
    make_home(home)
    try:
        keys = keystore.load(home)
    except EnvironmentFault as fault:
        if fault.code != "keys_missing":
            raise
        keys = keystore.create(home)
    before = enrolment.load(home)

    def ask(signer: Ed25519PrivateKey) -> EnrolAnswer:
        request = EnrolRequest(ticket=ticket, public=public_of(signer))
        return _ask(url, request, signer, ticket, clock, ca_file, proxy)

    signer = _known_key(keys, before)
    try:
        answer = ask(signer)
    except CentralFault as fault:
        # This device was a kiosk before: another generation begins with another key. One that is left over
        # from an attempt whose answer was lost may be what the ticket was used with.
        spare = _spare_key(home, keys, make=fault.code == "key_used")
        if fault.code not in ("key_used", "ticket_used") or spare is None:
            raise
        keys, signer = spare, spare.signers()[0]
        answer = ask(signer)
    roots = (answer.roots[0], answer.roots[1])
    enrolled = enrolment.open_enrolment(answer.enrolment, open_keyset(answer.keyset, roots))
    # Ledger and pepper first: a kiosk that is enrolled must have both, and until then a stop is mended by
    # repeating. From then on a ledger that is gone was lost, and is never made anew for the same generation.
    public = public_of(signer)
    _prepare_ledger(home, keys, public, before.enrolment if before else None, enrolled, answer.settings)
    keystore.adopt_pepper(home, keys, answer.pepper)
    return enrolment.save(home, answer.enrolment, answer.keyset, roots, url, device=public)


def _known_key(keys: keystore.DeviceKeys, before: EnrolmentBundle | None) -> Ed25519PrivateKey:
    """The key to try first: that of the enrolment there is, so that repeating it changes nothing."""
    enrolled = keys.signer_of(before.enrolment.public) if before else None
    return enrolled or keys.signer()


def _spare_key(home: Path, keys: keystore.DeviceKeys, *, make: bool) -> keystore.DeviceKeys | None:
    """The keys with one that has signed nothing yet as the newest; None if there is none and none to make."""
    path = home / LEDGER_FILE
    ledger = Ledger(path, keys.database_key) if path.exists() else None
    try:
        return key_roll.spare_key(home, ledger) if make or key_roll.has_spare_key(home, ledger) else None
    finally:
        if ledger is not None:
            ledger.close()


def _checked(url: str) -> str:
    if not is_address(url):
        raise OfficerFault("url_malformed", "central's address begins with https://")
    return url.rstrip("/")


def _prepare_ledger(
    home: Path,
    keys: keystore.DeviceKeys,
    public: bytes,
    before: Enrolment | None,
    enrolled: Enrolment,
    settings: Mapping[str, Any],
) -> None:
    """Makes or opens the ledger for this enrolment; keeps the names of point and counter of ``settings``.

    Raises CentralFault ``enrolment_refused``; EnvironmentFault ``ledger_missing`` when this very generation
    had one, ``ledger_foreign`` when it is another kiosk's.
    """
    if enrolled.public != public:
        raise CentralFault("enrolment_refused", "central enrolled another key", why="another_device")
    same = before is not None and (before.kiosk, before.gen) == (enrolled.kiosk, enrolled.gen)
    ledger = Ledger(home / LEDGER_FILE, keys.database_key, create=not same)
    try:
        if ledger.meta("kiosk", enrolled.kiosk) != enrolled.kiosk:
            raise EnvironmentFault("ledger_foreign", "ledger.db is another kiosk's: use an empty folder")
        ledger.set_meta(
            **{meta: str(settings.get(name, ""))[:MAX_NAME_CHARS] for name, meta in PLACE_METAS.items()}
        )
        if not same:
            ledger.set_meta(
                **{
                    "kiosk": enrolled.kiosk,
                    GENERATION_META: str(enrolled.gen),
                    public_key_meta(enrolled.gen): public.hex(),
                    "frozen": "",
                    orders.DONE_META: "",
                    "grant_rev": "0",
                    rollback.COUNTER_META: "",  # a ledger that was refused takes the counter up anew
                }
            )
    finally:
        ledger.close()


def make_home(home: Path) -> None:
    """Makes the data folder, for this user only. Raises EnvironmentFault ``data_folder_read_only``."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault("data_folder_read_only", f"{home}: {error.strerror}") from error


def _ask(
    url: str,
    request: EnrolRequest,
    signer: Ed25519PrivateKey,
    ticket: str,
    clock: Clock,
    ca_file: str,
    proxy: str,
) -> EnrolAnswer:
    body = request.model_dump_json().encode()
    nonce = new_nonce()
    target = url + "/v1/enrol"
    headers = sign_request(
        "POST", target, body, signer, ENROL_KEYID, nonce=nonce, created=clock.now().timestamp()
    )
    with new_session(ca_file, proxy) as session:
        status, answer_headers, answer_body = send(session, "POST", target, headers, body, 20.0)
    if status >= 400:
        raise refused(status, answer_headers, answer_body, signed=False, name_it=True)
    try:
        answer = EnrolAnswer.model_validate_json(answer_body)
    except ValueError as error:
        raise CentralFault("answer_refused", "not an answer of central: is it a sign-in page?") from error
    if len(answer.roots) != 2:
        raise CentralFault("answer_refused", "two root keys are needed")
    keyset = enrolment.first_keyset(ticket, answer.keyset, (answer.roots[0], answer.roots[1]))
    open_answer_or_name_it(status, answer_headers, answer_body, nonce, keyset.central_key)
    return answer
