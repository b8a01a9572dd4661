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

    function turn(step: int) {
        if (visible)
            list.page = Math.max(0, Math.min(list.pages - 1, list.page + step));
    }

    color: Theme.paper
    onVisitIdChanged: list.page = 0

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

    Column {
        id: empty

        readonly property string words: root.citizen.hasNone
                                        ? qsTr("Belum ada program untuk kartu ini. Tanyakan ke petugas.")
                                        : qsTr("Ada layanan lain untuk Anda. Tanyakan ke petugas.")

        x: root.margin * 3
        y: head.height + (foot.y - head.height - height) / 2
        width: parent.width - 2 * x
        spacing: Theme.mm(5)
        visible: root.citizen.visitId !== "" && !root.listed

        Label {
            width: parent.width
            text: Words.bound(Words.firstSentence(empty.words))
            capMm: Theme.hero
            font.bold: true
            Accessible.name: empty.words
        }

        Label {
            width: parent.width
            text: Words.otherSentences(empty.words)
            capMm: Theme.title
            Accessible.ignored: true
        }
    }

    PagedColumn {
        id: list
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: head.bottom
        anchors.bottom: others.visible ? others.top : foot.top
        anchors.margins: root.margin
        gap: Theme.mm(2.2)
        model: root.citizen.rows
        used: root.citizen.rowCount
        delegate: ProgramCard {}
    }

    Rectangle {
        id: others
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: foot.top
        anchors.leftMargin: root.margin
        anchors.rightMargin: root.margin
        anchors.bottomMargin: Theme.mm(2.6)
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

    Item {
        id: foot
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: root.margin
        height: finish.height

        PushButton {
            id: finish
            label: qsTr("Selesai")
            onPressed: root.citizen.finish()
        }

        Label {
            anchors.left: finish.right
            anchors.right: turning.visible ? turning.left : parent.right
            anchors.margins: Theme.mm(4)
            anchors.verticalCenter: parent.verticalCenter
            visible: !root.kiosk.online && root.kiosk.dataAt !== ""
            text: qsTr("Data terakhir: %1").arg(Words.moment(root.kiosk.dataAt))
            capMm: Theme.small
        }

        Row {
            id: turning
            anchors.right: parent.right
            spacing: Theme.mm(3)
            visible: list.pages > 1

            PushButton {
                label: qsTr("Kembali")
                visible: list.page > 0
                onPressed: root.turn(-1)
            }

            Label {
                anchors.verticalCenter: parent.verticalCenter
                text: qsTr("%1 dari %2").arg(list.page + 1).arg(list.pages)
                capMm: Theme.small
            }

            PushButton {
                label: qsTr("Lanjut")
                kind: "primary"
                visible: list.page < list.pages - 1
                onPressed: root.turn(1)
            }
        }
    }
}
