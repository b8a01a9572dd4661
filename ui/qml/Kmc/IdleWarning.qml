import QtQuick
import Kmc.Models

// "Still there?" over the result; any touch keeps the session.
Item {
    id: root

    required property CitizenModel citizen

    readonly property string words: qsTr("Masih di sini? Layar tertutup dalam %1 detik.").arg(citizen.secondsLeft)

    Keys.onPressed: event => {
        if (event.key !== Qt.Key_Escape && event.key !== Qt.Key_Tab && event.key !== Qt.Key_Backtab && event.key !== Qt.Key_F4) {
            root.citizen.touched();
            event.accepted = true;
        }
    }
    onVisibleChanged: if (visible)
        more.forceActiveFocus()
    else if (parent)
        parent.forceActiveFocus()

    Rectangle {
        anchors.fill: parent
        color: "#07332E"
        opacity: 0.72
    }

    MouseArea {
        anchors.fill: parent
        Accessible.ignored: true
        onClicked: root.citizen.touched()
    }

    Rectangle {
        anchors.centerIn: parent
        width: Math.min(parent.width - Theme.mm(10), Theme.mm(210))
        height: inside.implicitHeight + Theme.mm(16)
        radius: Theme.mm(4)
        color: Theme.card
        Accessible.role: Accessible.AlertMessage
        Accessible.name: root.words

        Column {
            id: inside
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.margins: Theme.mm(8)
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.mm(6)

            Label {
                width: parent.width
                text: Words.firstSentence(root.words)
                capMm: Theme.hero
                font.bold: true
            }

            Label {
                width: parent.width
                text: Words.otherSentences(root.words)
                capMm: Theme.body
            }

            Row {
                spacing: Theme.mm(4)

                PushButton {
                    id: more
                    label: qsTr("Tambah waktu")
                    kind: "primary"
                    onPressed: root.citizen.touched()
                }

                PushButton {
                    label: qsTr("Selesai")
                    onPressed: root.citizen.finish()
                }
            }
        }
    }
}
