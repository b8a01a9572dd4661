import QtQuick
import Kmc.Models

// Take one entry back: what became of the goods, and why. Both entries stay in the journal.
Item {
    id: root

    required property OfficerModel officer
    required property DayList day

    readonly property string entry: day.voidRef

    onEntryChanged: why.clear()

    function number(position: int) {
        why.giveUsual(position);
    }

    Column {
        width: parent.width
        spacing: Theme.mm(2.6)

        Label {
            width: parent.width
            text: qsTr("Batalkan No. %1?").arg(root.day.voidRef)
            capMm: Theme.workTitle
            font.bold: true
        }

        Label {
            width: parent.width
            text: Words.pick(root.day.voidGiftId, root.day.voidGiftEn)
                  + (root.day.voidHolder === "" ? "" : " · " + root.day.voidHolder)
            capMm: Theme.work
        }

        Flow {
            width: parent.width
            spacing: Theme.mm(Theme.gapMm)

            Choice {
                label: qsTr("Barang belum keluar")
                round: true
                on: root.day.voidGoods === "never_left"
                onPressed: root.day.setVoidGoods("never_left")
            }

            Choice {
                label: qsTr("Barang dikembalikan")
                round: true
                on: root.day.voidGoods === "returned"
                onPressed: root.day.setVoidGoods("returned")
            }
        }

        ReasonChoice {
            id: why
            width: parent.width
            usual: [qsTr("Salah orang"), qsTr("Salah program"), qsTr("Batal diambil")]
            onGiven: text => root.day.setVoidReason(text)
            onEnterPressed: root.officer.enter()
        }
    }

    StepBar {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        words: Words.message(root.officer.message, root.officer.messageNumber)

        PushButton {
            label: root.officer.stage === "voiding" ? qsTr("Sedang dicatat…") : qsTr("Batalkan catatan")
            hint: "Enter"
            kind: "danger"
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
