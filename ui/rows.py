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
    """Rows of plain values under fixed role names."""

    changed = Signal()

    def __init__(self, roles: tuple[str, ...], parent: QObject) -> None:
        super().__init__(parent)
        self._roles = {int(Qt.ItemDataRole.UserRole) + n: name for n, name in enumerate(roles)}
        self._rows: list[dict[str, Any]] = []

    def show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Become these rows; every row has every role."""
        fresh = [{name: row[name] for name in self._roles.values()} for row in rows]
        kept = min(len(self._rows), len(fresh))
        moved = False
        if len(self._rows) > len(fresh):
            self.beginRemoveRows(_ROOT, len(fresh), len(self._rows) - 1)
            del self._rows[len(fresh) :]
            self.endRemoveRows()
            moved = True
        for position in range(kept):
            if self._rows[position] != fresh[position]:
                self._rows[position] = fresh[position]
                at = self.index(position)
                self.dataChanged.emit(at, at)
                moved = True
        if len(fresh) > kept:
            self.beginInsertRows(_ROOT, kept, len(fresh) - 1)
            self._rows.extend(fresh[kept:])
            self.endInsertRows()
            moved = True
        if moved:
            self.changed.emit()

    def row(self, position: int) -> Mapping[str, Any]:
        """The row at that position. Raises IndexError."""
        return self._rows[position]

    def __len__(self) -> int:
        return len(self._rows)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _ROOT) -> int:
        """How many rows there are (Qt)."""
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
