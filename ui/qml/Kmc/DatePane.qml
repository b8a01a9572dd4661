import QtQuick
import Kmc.Models

// The kiosk is unsure of the date: a supervisor says which day it is.
Item {
    id: root

    required property KioskModel kiosk
    required property OfficerModel officer

    function begin() {
        day.text = root.kiosk.today;
        day.take();
    }

    Column {
        width: parent.width
        spacing: Theme.mm(3)

        Label {
            width: parent.width
            text: qsTr("Tanggal kiosk belum pasti. Tanggal berapa hari ini?")
            capMm: Theme.workTitle
            font.bold: true
        }

        Field {
            id: day
            width: Math.min(parent.width, Theme.mm(90))
            label: qsTr("Tahun-bulan-tanggal")
            onEnterPressed: root.officer.confirmDate(day.text)
        }

        Label {
            width: parent.width
            text: Words.isDate(day.text) ? Words.longDate(day.text) : ""
            capMm: Theme.workStrong
        }
    }

    StepBar {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        words: Words.message(root.officer.message, root.officer.messageNumber)

        PushButton {
            label: root.officer.busy ? qsTr("Sedang dicek…") : qsTr("Pastikan")
            hint: "Enter"
            kind: "primary"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.confirmDate(day.text)
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
