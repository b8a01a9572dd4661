"""Central's tables, named once. Times are Unix seconds, days ISO text, JSON is text.

Plain SQL that distributed PostgreSQL engines run: no sequences, triggers or advisory locks, and no foreign
key between tables that would be sharded by different keys (rights by their own key, journals by kiosk).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("value", Text, nullable=False),
)

bucket = Table(
    "bucket",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("rev", BigInteger, nullable=False),
    # Sum of row hashes, kept as a signed 64-bit number.
    Column("checksum", BigInteger, nullable=False),
)

feed = Table(
    "feed",
    metadata,
    Column("bucket", String(24), primary_key=True),
    Column("kind", String(16), primary_key=True),
    # Canonical JSON list of the key columns.
    Column("row_key", String(160), primary_key=True),
    Column("rev", BigInteger, nullable=False),
    # Canonical JSON list of all columns; null for a tombstone.
    Column("body", Text),
    Column("hash", BigInteger, nullable=False),
    # Shared by a tombstone and the row that took its place in another bucket; empty if it did not move.
    Column("move", String(32), nullable=False, server_default=""),
    Index("feed_rev", "bucket", "rev"),
)

follow = Table(
    "follow",
    metadata,
    # Points that a kiosk follows beside its own.
    Column("kiosk", String(8), primary_key=True),
    Column("point_id", BigInteger, primary_key=True, autoincrement=False),
)

lookup = Table(
    "lookup",
    metadata,
    # Every card that a kiosk asked about, whatever came of it.
    Column("id", String(32), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    # Unix milliseconds.
    Column("at", BigInteger, nullable=False),
    # Empty for a card that is not genuine.
    Column("card_no", String(40), nullable=False),
    Column("holder_id", BigInteger, nullable=False),
    # found, unknown, refused
    Column("status", String(16), nullable=False),
    Column("code", String(40), nullable=False),
    Index("lookup_kiosk", "kiosk", "at"),
    Index("lookup_card", "card_no", "at"),
)

agency = Table(
    "agency",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("short", Text, nullable=False),
)

point = Table(
    "point",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("kind", String(24), nullable=False),
)

kiosk = Table(
    "kiosk",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("point_id", BigInteger, nullable=False),
    Column("counter", Text, nullable=False),
    Column("keeper", Boolean, nullable=False),
    # new, active, frozen, revoked
    Column("state", String(16), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("grant_rev", BigInteger, nullable=False),
    Column("frozen_why", Text, nullable=False),
    Column("seen_at", BigInteger),
    Column("health", Text),
    Index("kiosk_point", "point_id"),
)

kiosk_gen = Table(
    "kiosk_gen",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("public", LargeBinary, nullable=False),
    Column("enrolled_at", BigInteger, nullable=False),
    # active, retired, revoked, forked
    Column("state", String(16), nullable=False),
    Column("acked_seq", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("ticket_hash", LargeBinary, nullable=False),
    # How far the last backup has this journal.
    Column("durable_seq", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["kiosk"], ["kiosk.id"]),
)

kiosk_report = Table(
    "kiosk_report",
    metadata,
    # Whom central waits for since it went back to a backup.
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # waiting or reported
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("reported_at", BigInteger),
    # How many rights it said it holds.
    Column("held", BigInteger, nullable=False),
)

kiosk_key = Table(
    "kiosk_key",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # The first record that it signs; the generation's first key is in ``kiosk_gen``.
    Column("from_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("public", LargeBinary, primary_key=True),
    # Named by a record that is kept beside the chain.
    Column("beside", Boolean, nullable=False),
    # First request signed by it: from then on the key before it signs none any more.
    Column("used_at", BigInteger),
)

kiosk_order = Table(
    "kiosk_order",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # stop or revoke
    Column("what", String(8), nullable=False),
    Column("ordered_at", BigInteger, nullable=False),
    # How far the kiosk says it is: empty, stopped, flushed, wiped.
    Column("done", String(8), nullable=False),
    Column("done_at", BigInteger),
)

ticket = Table(
    "ticket",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_gen", Integer),
    ForeignKeyConstraint(["kiosk"], ["kiosk.id"]),
)

nonce = Table(
    "nonce",
    metadata,
    Column("keyid", String(24), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Index("nonce_seen", "seen_at"),
)

family = Table(
    "family",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kk", String(16), nullable=False),
)

holder = Table(
    "holder",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("card_no", String(40), nullable=False, unique=True),
    Column("issue_no", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("birth", String(10), nullable=False),
    Column("nik", String(16), nullable=False),
    Column("family_id", BigInteger, nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Index("holder_family", "family_id"),
)

guardian = Table(
    "guardian",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("child_id", BigInteger, nullable=False),
    Column("guardian_id", BigInteger, nullable=False),
    Column("relation", String(24), nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("revoked_at", String(10)),
    Index("guardian_child", "child_id"),
    Index("guardian_guardian", "guardian_id"),
)

program = Table(
    "program",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("right_group", String(40), nullable=False),
    Column("doc", Text, nullable=False),
    # Periods whose rights have been made: JSON list of their keys, for this version.
    Column("placed", Text, nullable=False),
)

entitlement = Table(
    "entitlement",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("subject", String(24), nullable=False),
    Column("program_id", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("status", String(16), nullable=False),
    Index("entitlement_subject", "subject"),
    Index("entitlement_program", "program_id", "id"),
)

officer = Table(
    "officer",
    metadata,
    Column("username", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("pin_hash", Text, nullable=False),
    Column("valid_until", String(10), nullable=False),
)

card = Table(
    "card",
    metadata,
    Column("card_no", String(40), primary_key=True),
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("holder_id", BigInteger, nullable=False),
    Column("chip", String(16), nullable=False),
    # Of the chip, in hex; empty until it is bound to one.
    Column("uid", String(20), nullable=False),
    Column("issued", String(10), nullable=False),
    Column("valid_until", String(10), nullable=False),
    # active, lost, stolen, replaced, revoked, deceased
    Column("status", String(16), nullable=False),
    Column("since", String(10)),
    # p1, p2 or p3: the least that must be proved when the chip is read.
    Column("least_grade", String(8), nullable=False, server_default="p1"),
    Index("card_holder", "holder_id"),
    Index("card_uid", "uid"),
)

card_act = Table(
    "card_act",
    metadata,
    # What was done with a card, one row each; see `sync.central.card_acts`.
    Column("id", String(32), primary_key=True),
    Column("card_no", String(40), nullable=False),
    Column("issue_no", Integer, nullable=False),
    # issued, bound, printed, written, verified; or how it was taken out of use, as in the card's status
    Column("act", String(16), nullable=False),
    # Of the chip, in hex; empty where none is known yet.
    Column("uid", String(20), nullable=False),
    Column("batch", String(40), nullable=False),
    # Whose key signed; empty in a demonstration where nobody did.
    Column("account", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    # COSE_Sign1 of the account; empty if nobody signed.
    Column("signed", LargeBinary, nullable=False),
    Index("card_act_card", "card_no", "at"),
    Index("card_act_batch", "batch", "card_no"),
)

rights = Table(
    "rights",
    metadata,
    Column("right", String(120), primary_key=True),
    Column("subject", String(24), nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    # JSON [[program id, version, entitlement id, version, quantity], …] in force now.
    Column("terms", Text, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("mode", String(16), nullable=False),
    # Who holds it: a kiosk's id, or empty for central.
    Column("held_by", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    # What the grant outstanding says, so that its echo is the same bytes: JSON of its terms and times.
    Column("granted", Text),
    Column("granted_left", BigInteger, nullable=False),
    Column("grant_rev", BigInteger, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("recall", Boolean, nullable=False),
    Column("wanted_by", String(8), nullable=False),
    Column("wanted_until", BigInteger, nullable=False),
    Column("last_at", String(32)),
    Column("last_point_id", BigInteger),
    Column("last_ref", String(48)),
    # The epoch up to which it came back: nothing at or below is anybody's to spend.
    Column("floor_incarnation", Integer, nullable=False, server_default="0"),
    Column("floor_n", BigInteger, nullable=False, server_default="0"),
    # The right that this one became part of, when two records of one person were merged.
    Column("merged_into", String(120)),
    # How many rights became part of this one.
    Column("merges", Integer, nullable=False, server_default="0"),
    # A right that became part of this one still lies at a kiosk: no new grant until it is back.
    Column("waits", Boolean, nullable=False, server_default=false()),
    Index("rights_holder", "held_by", "grant_rev"),
    Index("rights_place", "held_by", "point_id", "not_after"),
    Index("rights_subject", "subject"),
)

journal = Table(
    "journal",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("type", String(24), nullable=False),
    Column("right", String(120), nullable=False),
    # Empty, or why it cannot be interpreted.
    Column("quarantine", String(60), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("journal_right", "right"),
)

journal_branch = Table(
    "journal_branch",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, primary_key=True),
    Column("record", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("type", String(24), nullable=False),
    Column("right", String(120), nullable=False),
    Column("quarantine", String(60), nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

journal_private = Table(
    "journal_private",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text),
)

pickup = Table(
    "pickup",
    metadata,
    # A fork's other branch adds ``~`` and 8 hex digits of the record's hash.
    Column("ref", String(48), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("right", String(120), nullable=False),
    Column("program_version", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("spends", BigInteger, nullable=False),
    Column("epoch_incarnation", BigInteger, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("officer", Text, nullable=False),
    Column("wall", BigInteger, nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    # Empty, tolerated, within_grant or paper.
    Column("kind", String(16), nullable=False, server_default=""),
    Column("slice", String(80)),
    # The right whose spend it raised, if that is another one by a merge, and how many merges that one had.
    Column("counted_in", String(120)),
    Column("era", Integer, nullable=False, server_default="0"),
    Index("pickup_right", "right"),
)

case = Table(
    "conflict",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("code", String(32), nullable=False),
    Column("right", String(120), nullable=False),
    Column("refs", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Index("conflict_right", "right"),
)

grant_log = Table(
    "grant_log",
    metadata,
    Column("right", String(120), primary_key=True),
    Column("epoch_incarnation", Integer, primary_key=True, autoincrement=False),
    Column("epoch_n", BigInteger, primary_key=True, autoincrement=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("quantity_left", BigInteger, nullable=False),
    Column("spent_before", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
)

recall_log = Table(
    "recall_log",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("right", String(120), nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    # wanted, changed, misled, merged
    Column("why", String(16), nullable=False),
    Column("wanted_by", String(8), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("recall_log_right", "right"),
)

entitlement_past = Table(
    "entitlement_past",
    metadata,
    # Versions that were replaced, with when.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("replaced_at", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", String(24), nullable=False),
    Column("program_id", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("status", String(16), nullable=False),
    Index("entitlement_past_subject", "subject"),
)

program_next = Table(
    "program_next",
    metadata,
    # A version that comes into force when the period that runs is over, since it changes the mode.
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("public", LargeBinary, nullable=False, unique=True),
    # staff asks and approves, a clerk only asks
    Column("role", String(16), nullable=False),
    # active, closed
    Column("state", String(16), nullable=False),
    Column("added_at", BigInteger, nullable=False),
)

writeoff = Table(
    "writeoff",
    metadata,
    Column("id", String(40), primary_key=True),
    # One right, or all in doubt of one generation of a kiosk.
    Column("right", String(120), nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    # asked, approved, done
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Index("writeoff_kiosk", "kiosk", "gen"),
)

approval = Table(
    "approval",
    metadata,
    # What was approved: a write-off's id, or an order's.
    Column("subject", String(40), primary_key=True),
    Column("account", String(32), primary_key=True),
    Column("signed", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

writeoff_right = Table(
    "writeoff_right",
    metadata,
    Column("writeoff", String(40), primary_key=True),
    Column("right", String(120), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("quantity_left", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("writeoff_right_right", "right"),
)

stock_slice = Table(
    "stock_slice",
    metadata,
    # <kiosk>.<gen>/<program>/<n>
    Column("id", String(80), primary_key=True),
    Column("program_id", String(40), nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("received_at", BigInteger),
    Column("closed", Boolean, nullable=False),
    Index("stock_slice_kiosk", "kiosk", "gen", "closed"),
)

order_to_kiosk = Table(
    "order_to_kiosk",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    # void
    Column("what", String(16), nullable=False),
    Column("ref", String(48), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(32), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    # The kiosk's own record that carried it out.
    Column("done_by", String(48)),
    Index("order_to_kiosk_kiosk", "kiosk", "done_at"),
    Index("order_to_kiosk_ref", "ref"),
)

holder_merge = Table(
    "holder_merge",
    metadata,
    Column("gone", BigInteger, primary_key=True, autoincrement=False),
    Column("keep", BigInteger, nullable=False),
    Column("move_id", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
)

right_merge = Table(
    "right_merge",
    metadata,
    Column("keep", String(120), primary_key=True),
    # From 0, in the order in which they were merged.
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("gone", String(120), nullable=False, unique=True),
    # What each had spent then, less what was taken back since: the larger one counts.
    Column("keep_spent", BigInteger, nullable=False),
    Column("gone_spent", BigInteger, nullable=False),
    Column("move_id", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
)
