import QtQuick
import Kmc.Models

// "Tercatat. No. IRM1-0421": hand it over now.
Rectangle {
    id: root

    required property OfficerModel officer
    required property ConfirmForm form

    color: Theme.good

    Column {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.margins: Theme.mm(6)
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.mm(4)

        Badge {
            anchors.horizontalCenter: parent.horizontalCenter
            diameterMm: 26
            glyph: "check"
            color: Theme.deep
        }

        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            text: qsTr("Tercatat. No. %1").arg(root.officer.recordedRef)
            capMm: Theme.workTitle * 1.35
            font.bold: true
            color: Theme.white
            Accessible.role: Accessible.AlertMessage
        }

        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            text: Words.pick(root.form.giftId, root.form.giftEn) + " · " + root.form.holderName
            capMm: Theme.workTitle
            font.bold: true
            color: Theme.white
        }
    }
}
