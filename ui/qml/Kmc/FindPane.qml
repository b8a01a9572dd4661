import QtQuick
import Kmc.Models

// F2: a card number typed by the officer, with a reason.
Item {
    id: root

    required property OfficerModel officer

    function begin() {
        number.text = "";
        why.clear();
        number.take();
    }

    Column {
        width: parent.width
        spacing: Theme.mm(3)

        Label {
            width: parent.width
            text: qsTr("Cari nomor kartu")
            capMm: Theme.workTitle
            font.bold: true
        }

        Field {
            id: number
            width: parent.width
            label: qsTr("Nomor pada kartu")
            onEnterPressed: root.officer.findCard(number.text, why.reason)
        }

        ReasonChoice {
            id: why
            width: parent.width
            usual: [qsTr("Chip rusak"), qsTr("Kartu tertinggal"), qsTr("Alat pembaca rusak")]
            onGiven: text => why.reason = text
            onEnterPressed: root.officer.findCard(number.text, why.reason)
        }
    }

    StepBar {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        words: Words.message(root.officer.message, root.officer.messageNumber)

        PushButton {
            label: root.officer.busy ? qsTr("Sedang dicek…") : qsTr("Cari")
            hint: "Enter"
            kind: "primary"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.findCard(number.text, why.reason)
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
