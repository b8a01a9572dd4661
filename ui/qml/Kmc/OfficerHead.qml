import QtQuick
import Kmc.Models

// Whose counter this is, who works here, and the connection in words.
Column {
    id: root

    required property KioskModel kiosk
    required property OfficerModel officer
    signal keysWanted

    readonly property bool narrow: width < Theme.mm(240)

    Rectangle {
        width: parent.width
        height: Math.max(tools.height, where.implicitHeight) + Theme.mm(2.4)
        color: Theme.deep

        Label {
            id: where
            x: Theme.mm(3)
            width: tools.x - x - Theme.mm(2)
            anchors.verticalCenter: parent.verticalCenter
            text: Words.capital(Words.loket(root.kiosk.counter)) + " · "
                  + (root.officer.isSignedIn ? root.officer.officerName : root.kiosk.point)
            capMm: Theme.work
            font.bold: true
            color: Theme.white
        }

        Row {
            id: tools
            anchors.right: parent.right
            anchors.rightMargin: Theme.mm(2)
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.mm(Theme.gapMm)

            PushButton {
                label: qsTr("Papan ketik")
                kind: "dark"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.keysWanted()
            }

            LanguageSwitch {
                kiosk: root.kiosk
                kind: "dark"
                capMm: Theme.work
                targetMm: Theme.workTarget
            }

            PushButton {
                label: root.officer.isSignedIn ? qsTr("Keluar") : qsTr("Kembali")
                kind: "dark"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.officer.isSignedIn ? root.officer.signOut() : root.officer.cancelSignIn()
            }
        }
    }

    Rectangle {
        id: strip
        width: parent.width
        height: link.implicitHeight + Theme.mm(2)
        color: root.kiosk.frozen !== "" ? Theme.stopTint : root.kiosk.online ? Theme.goodTint : Theme.waitTint
        visible: root.kiosk.statusKnown || root.kiosk.frozen !== ""

        Badge {
            id: mark
            x: Theme.mm(3)
            anchors.verticalCenter: parent.verticalCenter
            diameterMm: Theme.work * 1.35
            glyph: root.kiosk.frozen !== "" ? "stop" : root.kiosk.online ? "check" : "network"
            color: root.kiosk.frozen !== "" ? Theme.stop : root.kiosk.online ? Theme.good : Theme.wait
        }

        Label {
            id: link
            anchors.left: mark.right
            anchors.leftMargin: Theme.mm(2)
            anchors.right: parent.right
            anchors.rightMargin: Theme.mm(3)
            anchors.verticalCenter: parent.verticalCenter
            text: (root.kiosk.isDemonstration ? qsTr("Peragaan.") + " " : "")
                  + (root.kiosk.frozen === "" ? "" : Words.frozen(root.kiosk.frozen) + " ")
                  + Words.connection(root.kiosk.online, root.kiosk.dataAt, root.kiosk.dataAgeMinutes, root.kiosk.waiting)
                  + (root.kiosk.loading < 0 ? "" : " " + qsTr("Data sedang dimuat: %1%.").arg(root.kiosk.loading))
                  + (root.kiosk.unshownOverdue ? " " + qsTr("Ada catatan yang menunggu jawaban penyelia.") : "")
                  + (root.kiosk.dateInDoubt ? " " + qsTr("Tanggal kiosk belum pasti.") : "")
                  + (root.kiosk.readerFault === "" ? "" : " " + Words.readerFault(root.kiosk.readerFault)
                     + " " + Words.otherWay(root.kiosk.readerFault, root.kiosk.tapReady, root.kiosk.qrReady))
            capMm: Theme.work
        }
    }
}
