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
            diameterMm: Math.max(26, Theme.shortSideMm * 0.15)
            glyph: "check"
            color: Theme.deep
        }

        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            text: qsTr("Tercatat. No. %1").arg(root.officer.recordedRef)
            capMm: Theme.workTitle * (Theme.shortSideMm > 180 ? 1.8 : 1.35)
            font.bold: true
            color: Theme.white
            Accessible.role: Accessible.AlertMessage
        }

        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            text: Words.pick(root.form.giftId, root.form.giftEn) + " · " + root.form.holderName
            capMm: Theme.workTitle * (Theme.shortSideMm > 180 ? 1.25 : 1)
            font.bold: true
            color: Theme.white
        }
    }
}
