import QtQuick
import Kmc.Models

// User name and PIN.
Item {
    id: root

    required property OfficerModel officer
    property bool lowered: false
    signal touchTyping

    readonly property bool wide: width > Theme.mm(130)

    readonly property string badgeUser: officer.badgeUser
    onBadgeUserChanged: {
        if (badgeUser !== "") {
            user.text = badgeUser;
            pin.take();
        }
    }

    function begin() {
        user.text = "";
        pin.text = "";
        user.take();
    }

    function go() {
        root.officer.signIn(user.text, pin.text);
        pin.text = "";
    }

    Column {
        y: root.lowered ? Math.round((parent.height - height) * 0.3) : 0
        width: Math.min(parent.width, Theme.mm(190))
        anchors.horizontalCenter: parent.horizontalCenter
        spacing: Theme.mm(3)

        Label {
            width: parent.width
            text: qsTr("Masuk sebagai petugas")
            capMm: Theme.workTitle
            font.bold: true
        }

        Label {
            width: parent.width
            text: qsTr("Tempelkan lencana Anda, atau ketik nama pengguna.")
            capMm: Theme.work
            color: Theme.inkSoft
        }

        Flow {
            width: parent.width
            spacing: Theme.mm(4)

            Field {
                id: user
                width: root.wide ? (parent.width - parent.spacing) / 2 : parent.width
                label: qsTr("Nama pengguna")
                onEnterPressed: pin.take()

                TapHandler {
                    acceptedDevices: PointerDevice.TouchScreen
                    onTapped: root.touchTyping()
                }
            }

            Field {
                id: pin
                width: user.width
                label: qsTr("PIN")
                secret: true
                digitsOnly: true
                onEnterPressed: root.go()

                TapHandler {
                    acceptedDevices: PointerDevice.TouchScreen
                    onTapped: root.touchTyping()
                }
            }
        }

        MessageLine {
            width: parent.width
            words: Words.message(root.officer.message, root.officer.messageNumber)
            kind: root.officer.message === "badge_read" ? "good" : "wait"
        }

        Row {
            spacing: Theme.mm(4)

            PushButton {
                label: root.officer.busy ? qsTr("Sedang dicek…") : qsTr("Masuk")
                hint: "Enter"
                kind: "primary"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.go()
            }

            PushButton {
                label: qsTr("Kembali")
                hint: "Esc"
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: root.officer.cancelSignIn()
            }
        }
    }
}
