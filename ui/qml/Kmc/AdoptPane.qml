import QtQuick
import Kmc.Models

// An old card was tapped: the officer compares KTP and person, and binds it.
Item {
    id: root

    required property OfficerModel officer

    Column {
        width: parent.width
        spacing: Theme.mm(4)

        Label {
            width: parent.width
            text: qsTr("Sambungkan kartu lama ini?")
            capMm: Theme.workTitle
            font.bold: true
        }

        Label {
            width: parent.width
            text: root.officer.adoptName + " · " + qsTr("NIK •••• %1").arg(root.officer.adoptNik)
            capMm: Theme.workStrong
        }

        Label {
            width: parent.width
            text: qsTr("Cocokkan dulu KTP dengan orangnya. Kartu ini lalu menjadi kartu orang ini.")
            capMm: Theme.work
        }
    }

    StepBar {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        words: Words.message(root.officer.message, root.officer.messageNumber)

        PushButton {
            label: root.officer.busy ? qsTr("Sedang dicek…") : qsTr("KTP cocok, sambungkan")
            hint: "Enter"
            kind: "primary"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.enter()
        }

        PushButton {
            label: qsTr("Kembali")
            hint: "Esc"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.back()
        }
    }
}
