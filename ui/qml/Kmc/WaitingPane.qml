import QtQuick
import Kmc.Models

// Ready for the next person.
Item {
    id: root

    required property KioskModel kiosk
    required property OfficerModel officer

    Column {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.verticalCenterOffset: -tools.height / 2
        spacing: Theme.mm(4)

        Image {
            anchors.horizontalCenter: parent.horizontalCenter
            visible: root.height > Theme.mm(90) && root.officer.adoptName === ""
            width: Math.round(Math.min(root.height * 0.34, Theme.mm(80)))
            height: width
            sourceSize: Qt.size(width, height)
            source: Qt.resolvedUrl("../../icons/tap-light.svg")
            Accessible.ignored: true
        }

        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            text: root.officer.busy ? qsTr("Membaca… jangan angkat kartu") : qsTr("Tempelkan kartu pemegang.")
            capMm: Theme.workTitle
            font.bold: true
        }

        MessageLine {
            anchors.horizontalCenter: parent.horizontalCenter
            width: Math.min(parent.width, Theme.mm(150))
            words: Words.message(root.officer.message, root.officer.messageNumber)
            kind: ["voided", "date_confirmed"].includes(root.officer.message) ? "good" : "wait"
        }
    }

    Flow {
        id: tools
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        spacing: Theme.mm(Theme.gapMm)

        PushButton {
            label: qsTr("Cari nomor kartu")
            hint: "F2"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.openFind()
        }

        PushButton {
            label: qsTr("Pastikan tanggal")
            hint: "F6"
            visible: root.kiosk.dateInDoubt && root.officer.isSupervisor
            kind: "primary"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.openDate()
        }

        PushButton {
            label: qsTr("Sambungkan kartu lama")
            hint: "F7"
            visible: root.officer.adoptName !== ""
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.openAdopt()
        }

        PushButton {
            label: qsTr("Batalkan catatan terakhir")
            hint: "Ctrl+Z"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.voidLast()
        }
    }
}
