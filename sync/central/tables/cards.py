"""Cards, and what was done with each."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from sync.central.tables.metadata import metadata

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

badge = Table(
    "badge",
    metadata,
    # An officer's badge; its number names no holder.
    Column("username", String(32), primary_key=True),
    Column("badge_no", String(40), nullable=False, unique=True),
    Column("issue_no", Integer, nullable=False),
    # Without it the officer does not sign in.
    Column("required", Boolean, nullable=False),
    Column("chip", String(16), nullable=False),
    # Of the chip, in hex.
    Column("uid", String(20), nullable=False),
    Column("issued", String(10), nullable=False),
    Column("valid_until", String(10), nullable=False),
    Column("least_grade", String(8), nullable=False),
)

legacy_card = Table(
    "legacy_card",
    metadata,
    # A card from before this system, by `kiosk.legacy_cards.legacy_id`.
    Column("id", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("holder_id", BigInteger, nullable=False),
    # active, revoked
    Column("state", String(8), nullable=False),
    # The note that bound it, such as IRM1-0421; empty if it was bound at central.
    Column("ref", String(40), nullable=False),
    # The officer's user name, or the account.
    Column("by", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("legacy_card_holder", "holder_id"),
)
