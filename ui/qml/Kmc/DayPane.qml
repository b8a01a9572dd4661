pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// Today's pickups at this counter; touching one asks whether to void it.
Rectangle {
    id: root

    required property OfficerModel officer
    required property DayList day

    function turn(step: int) {
        list.page = Math.max(0, Math.min(list.pages - 1, list.page + step));
    }

    color: Theme.card
    border.width: 1
    border.color: Theme.line

    Label {
        id: title
        x: Theme.mm(3)
        y: Theme.mm(2.6)
        width: parent.width - 2 * x
        text: qsTr("Hari ini: %1").arg(root.day.count)
        capMm: Theme.workStrong
        font.bold: true
    }

    PagedColumn {
        id: list
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: title.bottom
        anchors.bottom: tools.visible ? tools.top : parent.bottom
        anchors.margins: Theme.mm(2.6)
        model: root.day.rows
        delegate: Rectangle {
            id: entry

            required property string ref
            required property string at
            required property string nameId
            required property string nameEn
            required property string quantityId
            required property string quantityEn
            required property string holder
            required property string officer
            required property bool voided
            required property bool synced
            required property bool fresh

            implicitHeight: Math.max(Theme.mm(Theme.workTarget) + 1, lines.implicitHeight + Theme.mm(2))
            radius: Theme.mm(1.4)
            color: fresh ? Theme.goodTint : voided ? Theme.pastTint : Theme.paper
            border.width: activeFocus ? Theme.mm(0.8) : 1
            border.color: activeFocus ? Theme.gold : fresh ? Theme.good : Theme.line
            activeFocusOnTab: true
            Accessible.role: Accessible.Button
            Accessible.name: first.text + ". " + second.text + (synced ? "" : ". " + qsTr("menunggu"))
            Accessible.focusable: true
            Accessible.onPressAction: root.officer.voidEntry(ref)
            Keys.onReturnPressed: root.officer.voidEntry(ref)
            Keys.onSpacePressed: root.officer.voidEntry(ref)

            Column {
                id: lines
                anchors.left: parent.left
                anchors.right: parent.right
                anchors.margins: Theme.mm(2)
                anchors.verticalCenter: parent.verticalCenter

                Label {
                    id: first
                    width: parent.width
                    text: entry.ref + " · " + (entry.voided ? qsTr("dibatalkan") : Words.timeOfDay(entry.at))
                    capMm: Theme.work
                    font.bold: true
                    color: entry.voided ? Theme.past : Theme.ink
                    Accessible.ignored: true
                }

                Label {
                    id: second
                    width: parent.width
                    text: Words.pick(entry.quantityId, entry.quantityEn) + " · "
                          + (entry.holder === "" ? Words.pick(entry.nameId, entry.nameEn) : entry.holder)
                    capMm: Theme.work
                    Accessible.ignored: true
                }
            }

            Badge {
                anchors.right: parent.right
                anchors.rightMargin: Theme.mm(1.6)
                y: Theme.mm(1.6)
                visible: !entry.synced
                diameterMm: Theme.work * 1.4
                glyph: "clock"
                color: Theme.wait
            }

            TapHandler {
                gesturePolicy: TapHandler.ReleaseWithinBounds
                onTapped: root.officer.voidEntry(entry.ref)
            }
        }
    }

    Row {
        id: tools
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: Theme.mm(2.6)
        spacing: Theme.mm(Theme.gapMm)
        visible: list.totalHeight > root.height - list.y - Theme.mm(2.6)

        PushButton {
            label: qsTr("Kembali")
            visible: list.page > 0
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.turn(-1)
        }

        PushButton {
            label: qsTr("Lanjut %1/%2").arg(list.page + 1).arg(list.pages)
            visible: list.page < list.pages - 1
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.turn(1)
        }
    }
}
