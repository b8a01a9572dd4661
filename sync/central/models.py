"""Central's tables, named once. Times are Unix seconds, days ISO text, JSON is text.

Plain SQL that distributed PostgreSQL engines run: no sequences, triggers or advisory locks, and no foreign
key between tables that would be sharded by different keys (rights by their own key, journals by kiosk).

The tables stand in ``sync.central.tables``, by subject; who uses them takes them from here.
"""

from __future__ import annotations

from sync.central.tables.cards import badge, card, card_act, legacy_card
from sync.central.tables.feed import bucket, feed, follow, lookup
from sync.central.tables.journals import case, journal, journal_branch, journal_private, pickup
from sync.central.tables.kiosks import (
    agency,
    kiosk,
    kiosk_gen,
    kiosk_key,
    kiosk_order,
    kiosk_report,
    nonce,
    point,
    ticket,
)
from sync.central.tables.metadata import metadata
from sync.central.tables.people import family, guardian, holder, holder_merge, officer
from sync.central.tables.programs import entitlement, entitlement_past, program, program_next
from sync.central.tables.rights import grant_log, recall_log, right_merge, rights, stock_slice
from sync.central.tables.settings import meta
from sync.central.tables.staff import account, approval, order_to_kiosk, writeoff, writeoff_right

__all__ = [
    "account",
    "agency",
    "approval",
    "badge",
    "bucket",
    "card",
    "card_act",
    "case",
    "entitlement",
    "entitlement_past",
    "family",
    "feed",
    "follow",
    "grant_log",
    "guardian",
    "holder",
    "holder_merge",
    "journal",
    "journal_branch",
    "journal_private",
    "kiosk",
    "kiosk_gen",
    "kiosk_key",
    "kiosk_order",
    "kiosk_report",
    "legacy_card",
    "lookup",
    "meta",
    "metadata",
    "nonce",
    "officer",
    "order_to_kiosk",
    "pickup",
    "point",
    "program",
    "program_next",
    "recall_log",
    "right_merge",
    "rights",
    "stock_slice",
    "ticket",
    "writeoff",
    "writeoff_right",
]
