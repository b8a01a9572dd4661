"""The doctor's checks of the way to central: reachable, its certificate, its clock."""

from __future__ import annotations

import json
import socket
import ssl
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault
from kiosk.values import CheckStatus, Finding
from sync.transport import new_session, send

if TYPE_CHECKING:
    from sync.kiosk_end import CentralAddress

MAX_DRIFT_S: Final = 300
"""Requests signed further from central's clock than this are refused (protocol.md)."""
DRIFT_S: Final = 30
CERTIFICATE_DAYS: Final = 21
_DAY: Final = 86_400

_FIXES: Final = {
    "ConnectionError": "check the cable or the SIM card, the name in central.url, and whether central runs",
    "timeout": "no answer: check the cable, the SIM card, the point's firewall",
    "proxy": "check central.proxy",
    "ProxyError": "check central.proxy, and that the proxy lets this machine through",
}


def examine(address: CentralAddress, clock: Clock) -> list[Finding]:
    """Findings on central at ``address.url``; one alone if it is not reached."""
    if not address.url:
        return [
            Finding(
                "central",
                CheckStatus.ATTENTION,
                "central",
                "no address is set, and this kiosk is not enrolled",
                "kmc-kiosk enrol TICKET --central URL",
            )
        ]
    begun = time.monotonic()
    try:
        session = new_session(address.ca_file, address.proxy)
        with session:
            status, _, body = send(session, "GET", f"{address.url}/v1/health", {}, b"", address.timeout_s)
    except CentralFault as fault:
        fix = _FIXES.get(str(fault.detail.get("why", "")), "check the network and central.url")
        if fault.code == "central_certificate":
            fix = "check this machine's date, and central.ca_file"
        return [Finding("central", CheckStatus.BAD, address.url, f"{fault.code}: {fault.message}", fix)]
    took_ms = (time.monotonic() - begun) * 1000
    try:
        time_ms = int(json.loads(body)["time_ms"])
    except (ValueError, KeyError, TypeError):
        seen = f"HTTP {status}, and not central's answer: {body[:60]!r}"
        fix = "something else answers there: a login page of the network, or a wrong central.url"
        return [Finding("central", CheckStatus.BAD, address.url, seen, fix)]
    again = "kmc-kiosk sync --once"
    findings = [
        Finding("central", CheckStatus.GOOD, address.url, f"answers in {took_ms:.0f} ms", again=again),
        _drift((unix_ms(clock.now()) - time_ms) / 1000),
    ]
    if address.url.startswith("https://"):
        findings.append(_certificate(address))
    return findings


def _drift(seconds: float) -> Finding:
    seen = f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} central's"
    fix = "sudo timedatectl set-ntp true"
    if abs(seconds) > MAX_DRIFT_S:
        return Finding("clock_difference", CheckStatus.BAD, "clock", seen, fix, "timedatectl")
    if abs(seconds) > DRIFT_S:
        return Finding("clock_difference", CheckStatus.ATTENTION, "clock", seen, fix, "timedatectl")
    return Finding("clock_difference", CheckStatus.GOOD, "clock", seen, again="timedatectl")


def _certificate(address: CentralAddress) -> Finding:
    if address.proxy:
        return Finding("certificate", CheckStatus.ABSENT, address.url, "not looked at through a proxy")
    parts = urlsplit(address.url)
    context = ssl.create_default_context(cafile=address.ca_file or None)
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), timeout=5) as line,
            context.wrap_socket(line, server_hostname=parts.hostname) as secured,
        ):
            found = secured.getpeercert() or {}
    except OSError as error:
        return Finding("certificate", CheckStatus.BAD, address.url, str(error), "check central.ca_file; date")
    ends = ssl.cert_time_to_seconds(str(found["notAfter"]))
    left = ends - time.time()
    seen = f"good until {datetime.fromtimestamp(ends):%Y-%m-%d}, {left / _DAY:.0f} days"  # noqa: DTZ006
    if left < CERTIFICATE_DAYS * _DAY:
        return Finding(
            "certificate", CheckStatus.ATTENTION, address.url, seen, "at central: renew its certificate"
        )
    return Finding("certificate", CheckStatus.GOOD, address.url, seen)
