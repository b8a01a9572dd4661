"""A list for QML that changes in place, so that what is drawn is kept and only what differs is painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

_ROOT = QModelIndex()


class Rows(QAbstractListModel):
    """Rows of plain values under fixed role names.

    ``blank`` gives the roles and what an empty row holds. With ``pool`` rows are never taken away but
    emptied, and that many are there from the start: what draws them is made once, not at each tap. How many
    are in use is ``len()``; whoever draws a pooled list shows only those.
    """

    changed = Signal()

    def __init__(self, blank: Mapping[str, Any], parent: QObject, pool: int = 0) -> None:
        super().__init__(parent)
        self._blank = dict(blank)
        self._roles = {int(Qt.ItemDataRole.UserRole) + n: name for n, name in enumerate(blank)}
        self._pooled = pool > 0
        self._rows: list[dict[str, Any]] = [dict(blank) for _ in range(pool)]
        self._used = 0
        self._later: list[dict[str, Any]] | None = None

    def show(self, rows: Sequence[Mapping[str, Any]], at_first: int = 0) -> None:
        """Become these rows; every row has every role.

        With ``at_first`` a pooled list is only so long until ``settle``, and what it does not use keeps what
        it held, unseen: each row that changes is laid out before the next frame, seen or not.
        """
        fresh = [{name: row[name] for name in self._blank} for row in rows]
        self._later = None
        if self._pooled and at_first > 0:
            self._later = fresh
            self._become(fresh[:at_first], whole=False)
        else:
            self._become(fresh, whole=True)

    def settle(self) -> None:
        """Become all that was shown last; to be called when the frame with the first rows is painted."""
        if self._later is not None:
            fresh, self._later = self._later, None
            self._become(fresh, whole=True)

    def _become(self, fresh: list[dict[str, Any]], *, whole: bool) -> None:
        moved = self._used != len(fresh)
        self._used = len(fresh)
        if self._pooled and not whole:
            fresh = fresh + self._rows[len(fresh) :]
        elif self._pooled:
            fresh = fresh + [dict(self._blank) for _ in range(len(self._rows) - len(fresh))]
        moved = self._put_on_top(fresh) or moved
        kept = min(len(self._rows), len(fresh))
        if len(self._rows) > len(fresh):
            self.beginRemoveRows(_ROOT, len(fresh), len(self._rows) - 1)
            del self._rows[len(fresh) :]
            self.endRemoveRows()
        for position in range(kept):
            before, after = self._rows[position], fresh[position]
            # Only what differs is told: each value told makes its text be laid out anew.
            roles = [role for role, name in self._roles.items() if before[name] != after[name]]
            if roles:
                self._rows[position] = after
                at = self.index(position)
                self.dataChanged.emit(at, at, roles)
                moved = True
        if len(fresh) > kept:
            self.beginInsertRows(_ROOT, kept, len(fresh) - 1)
            self._rows.extend(fresh[kept:])
            self.endInsertRows()
        if moved:
            self.changed.emit()

    def _put_on_top(self, fresh: Sequence[dict[str, Any]]) -> bool:
        """Inserts rows that came before all others, such as the newest of a long list; none moves."""
        above = len(fresh) - len(self._rows)
        key = next(iter(self._blank))
        if above <= 0 or not self._rows or fresh[above][key] != self._rows[0][key]:
            return False
        self.beginInsertRows(_ROOT, 0, above - 1)
        self._rows[:0] = fresh[:above]
        self.endInsertRows()
        return True

    def row(self, position: int) -> Mapping[str, Any]:
        """The row at that position. Raises IndexError."""
        return self._rows[position]

    def __len__(self) -> int:
        return self._used

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _ROOT) -> int:
        """How many rows there are, empty ones too (Qt)."""
        return 0 if parent.isValid() else len(self._rows)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """One value (Qt)."""
        name = self._roles.get(role)
        if name is None or not index.isValid() or index.row() >= len(self._rows):
            return None
        return self._rows[index.row()][name]

    def roleNames(self) -> dict[int, QByteArray]:
        """Role numbers and names (Qt)."""
        return {role: QByteArray(name.encode()) for role, name in self._roles.items()}
