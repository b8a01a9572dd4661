pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// Who was read and what there is for them, in pages.
Rectangle {
    id: root

    required property KioskModel kiosk
    required property CitizenModel citizen
    required property bool portrait

    readonly property real margin: Theme.mm(3.4)
    readonly property bool listed: citizen.rowCount > 0
    readonly property string visitId: citizen.visitId
    readonly property real gap: Theme.mm(3)
    // Buttons stand below the list, or beside it where height is what is scarce. They keep their places.
    readonly property real side: portrait ? 0 : Math.max(finish.implicitWidth, back.implicitWidth, next.implicitWidth)
    readonly property real listRight: width - margin - (portrait ? 0 : side + margin)
    readonly property real listBottom: portrait ? finish.y - gap : stale.visible ? stale.y - gap : height - margin
    // Few programs are written larger, if all of them fit even with three lines each.
    readonly property real grow: citizen.rowCount * rowRoom(1.4) <= list.height ? 1.4
                                 : citizen.rowCount * rowRoom(1.2) <= list.height ? 1.2 : 1

    // No page holds more rows than this: each has a line for its name and one for its state, at least.
    readonly property real leastRow: Math.floor(2 * 0.95 * line.height) + Theme.mm(3)
    readonly property int room: Math.ceil((list.height + list.gap) / (leastRow + list.gap))

    function rowRoom(by: real): real {
        return 3 * 1.2 * Theme.cap(Theme.body * by) + Theme.mm(5.2);
    }

    function turn(step: int) {
        if (visible)
            list.page = Math.max(0, Math.min(list.pages - 1, list.page + step));
    }

    FontMetrics {
        id: line
        font.family: Theme.family
        font.pixelSize: Theme.cap(Theme.body)
    }

    color: Theme.paper
    onVisitIdChanged: list.page = 0
    onRoomChanged: citizen.setRoom(room)

    Rectangle {
        id: head
        width: parent.width
        height: root.portrait ? languages.height + who.height + root.margin * 3
                              : Math.max(languages.height, who.height) + root.margin * 1.4
        color: Theme.deep

        Badge {
            id: mark
            x: root.margin
            y: who.y + (who.height - height) / 2
            diameterMm: Theme.body * 2.4
            glyph: "check"
        }

        Column {
            id: who
            x: mark.x + mark.width + Theme.mm(3)
            y: root.portrait ? languages.y + languages.height + root.margin : (parent.height - height) / 2
            width: (root.portrait ? parent.width : languages.x) - x - root.margin
            Accessible.role: Accessible.StaticText
            Accessible.name: qsTr("Kartu terbaca. %1").arg(root.citizen.name).trim()

            Label {
                width: parent.width
                text: qsTr("Kartu terbaca.")
                capMm: root.citizen.name === "" ? Theme.title : Theme.body
                font.bold: root.citizen.name === ""
                color: Theme.white
                Accessible.ignored: true
            }

            Label {
                width: parent.width
                visible: text !== ""
                text: root.citizen.name
                capMm: Theme.title
                font.bold: true
                color: Theme.white
                Accessible.ignored: true
            }
        }

        LanguageSwitch {
            id: languages
            x: parent.width - width - root.margin
            y: root.portrait ? root.margin : (parent.height - height) / 2
            kiosk: root.kiosk
            kind: "dark"
        }
    }

    BigNotice {
        x: root.margin * 2
        y: head.height
        width: root.listRight - x
        height: root.listBottom - y
        visible: root.citizen.visitId !== "" && !root.listed
        words: root.citizen.isAsking ? qsTr("Sedang dicek…")
               : root.citizen.hasNone ? qsTr("Belum ada program untuk kartu ini. Tanyakan ke petugas.")
                                    : qsTr("Ada layanan lain untuk Anda. Tanyakan ke petugas.")
        glyph: root.citizen.isAsking ? "hourglass" : "person"
        accent: Theme.cool
        portrait: root.portrait
    }

    PagedColumn {
        id: list
        x: root.margin
        y: head.height + root.margin
        width: root.listRight - x
        height: (others.visible ? others.y - root.gap : root.listBottom) - y
        gap: Theme.mm(2.2)
        model: root.citizen.rows
        used: root.citizen.rowCount
        delegate: ProgramCard {
            grow: root.grow
        }
    }

    Rectangle {
        id: others
        x: root.margin
        y: root.listBottom - height
        width: root.listRight - x
        height: othersWords.implicitHeight + Theme.mm(3.4)
        radius: Theme.mm(2.6)
        color: Theme.coolTint
        visible: root.citizen.hasOtherServices && root.listed

        Badge {
            id: othersMark
            anchors.left: parent.left
            anchors.leftMargin: Theme.mm(3)
            anchors.verticalCenter: parent.verticalCenter
            diameterMm: Theme.body * 1.7
            glyph: "person"
            color: Theme.cool
        }

        Label {
            id: othersWords
            anchors.left: othersMark.right
            anchors.right: parent.right
            anchors.margins: Theme.mm(3)
            anchors.verticalCenter: parent.verticalCenter
            text: qsTr("Ada layanan lain untuk Anda. Tanyakan ke petugas.")
            capMm: Theme.body
            font.bold: true
        }
    }

    Label {
        id: stale
        x: root.portrait ? finish.x + finish.width + root.gap : root.margin
        y: root.portrait ? finish.y + (finish.height - height) / 2 : root.height - root.margin - height
        width: (root.portrait && pageNumber.visible ? Math.min(back.x, pageNumber.x) - root.gap : root.listRight) - x
        visible: !root.kiosk.online && root.kiosk.dataAt !== ""
        text: qsTr("Data terakhir: %1").arg(Words.moment(root.kiosk.dataAt))
        capMm: Theme.small
    }

    PushButton {
        id: finish
        x: root.portrait ? root.margin : root.width - root.margin - width
        y: root.height - root.margin - height
        width: root.portrait ? implicitWidth : root.side
        label: qsTr("Selesai")
        onPressed: root.citizen.finish()
    }

    PushButton {
        id: next
        x: root.width - root.margin - width
        y: root.portrait ? finish.y : list.y
        width: root.portrait ? implicitWidth : root.side
        label: qsTr("Lanjut")
        kind: "primary"
        visible: list.page < list.pages - 1
        onPressed: root.turn(1)
    }

    Label {
        id: pageNumber
        x: root.portrait ? next.x - root.gap - width : next.x + (next.width - width) / 2
        y: root.portrait ? finish.y + (finish.height - height) / 2 : next.y + next.height + Theme.mm(2)
        wrapMode: Text.NoWrap
        visible: list.pages > 1
        text: qsTr("%1 dari %2").arg(list.page + 1).arg(list.pages)
        capMm: Theme.small
    }

    PushButton {
        id: back
        x: root.portrait ? pageNumber.x - root.gap - width : next.x
        y: root.portrait ? finish.y : pageNumber.y + pageNumber.height + Theme.mm(2)
        width: root.portrait ? implicitWidth : root.side
        label: qsTr("Kembali")
        visible: list.page > 0
        onPressed: root.turn(-1)
    }
}
