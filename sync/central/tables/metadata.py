"""What all of central's tables belong to, named once."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
