pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// Recorded just before the kiosk stopped: was it handed over? One at a time, oldest question first.
Item {
    id: root

    required property OfficerModel officer

    Repeater {
        model: root.officer.askedAbout

        Column {
            id: asked

            required property int index
            required property string ref
            required property string at
            required property string nameId
            required property string nameEn
            required property string quantityId
            required property string quantityEn
            required property string holder

            width: root.width
            visible: index === 0
            spacing: Theme.mm(4)

            Label {
                width: parent.width
                text: qsTr("Kiosk berhenti sebelum catatan ini terlihat. Sudah diserahkan?")
                capMm: Theme.workTitle
                font.bold: true
            }

            Label {
                width: parent.width
                text: qsTr("No. %1").arg(asked.ref) + " · " + Words.moment(asked.at)
                capMm: Theme.workStrong
            }

            Label {
                width: parent.width
                text: Words.pick(asked.quantityId, asked.quantityEn) + " · " + Words.pick(asked.nameId, asked.nameEn)
                      + (asked.holder === "" ? "" : " · " + asked.holder)
                capMm: Theme.workStrong
            }
        }
    }

    Column {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        spacing: Theme.mm(Theme.gapMm)

        MessageLine {
            width: parent.width
            words: Words.message(root.officer.message, root.officer.messageNumber)
        }

        Flow {
            width: parent.width
            spacing: Theme.mm(Theme.gapMm)

            PushButton {
                label: qsTr("Sudah diserahkan")
                hint: "1"
                kind: "primary"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.officer.answerUnshown(true)
            }

            PushButton {
                label: qsTr("Belum diserahkan")
                hint: "2"
                kind: "danger"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.officer.answerUnshown(false)
            }

            PushButton {
                label: qsTr("Nanti")
                hint: "Esc"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.officer.back()
            }
        }
    }
}
