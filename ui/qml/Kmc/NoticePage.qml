import QtQuick
import Kmc.Models

// Something kept the card from being read, or the kiosk from serving: what happened and what to do.
Rectangle {
    id: root

    required property KioskModel kiosk
    required property bool portrait
    required property string page
    required property string faultCode
    required property string cardName
    required property string cityName

    readonly property real margin: Theme.mm(6)
    readonly property string words: page === "clearing" ? qsTr("Selesai")
                                    : page === "reader_gone" ? qsTr("Alat pembaca terputus. Panggil petugas.")
                                    : page === "out_of_order" ? qsTr("Kiosk belum bisa dipakai. Silakan ke Loket 1.")
                                    : Words.cardFault(faultCode)
    readonly property string glyph: page === "clearing" ? "check" : page === "reader_gone" ? "reader"
                                    : page === "out_of_order" ? "stop" : Words.cardFaultIcon(faultCode)
    readonly property color accent: page === "clearing" ? Theme.good : page === "out_of_order" ? Theme.stop : Theme.wait

    color: Theme.paper

    CitizenTop {
        id: top
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: root.margin
        kiosk: root.kiosk
        cardName: root.cardName
        cityName: root.cityName
        onDark: false
        portrait: root.portrait
    }

    Item {
        id: middle
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: top.bottom
        anchors.bottom: officerButton.top
        anchors.margins: root.margin

        Badge {
            id: badge
            x: root.portrait ? (parent.width - width) / 2 : Theme.mm(4)
            y: root.portrait ? Math.max(0, (parent.height - height - texts.height - Theme.mm(10)) / 2)
                             : Math.max(0, (parent.height - height) / 2)
            diameterMm: root.portrait ? 90 : Math.min(70, Theme.shortSideMm * 0.36)
            glyph: root.glyph
            color: root.accent
        }

        Column {
            id: texts
            x: root.portrait ? 0 : badge.x + badge.width + Theme.mm(8)
            y: root.portrait ? badge.y + badge.height + Theme.mm(10) : (parent.height - height) / 2
            width: parent.width - x
            spacing: Theme.mm(5)

            Label {
                width: parent.width
                text: Words.bound(Words.firstSentence(root.words))
                capMm: Theme.hero
                font.bold: true
                horizontalAlignment: root.portrait ? Text.AlignHCenter : Text.AlignLeft
                Accessible.name: root.words
            }

            Label {
                width: parent.width
                visible: text !== ""
                text: Words.otherSentences(root.words)
                capMm: Theme.title
                horizontalAlignment: root.portrait ? Text.AlignHCenter : Text.AlignLeft
                Accessible.ignored: true
            }
        }
    }

    PushButton {
        id: officerButton
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: root.margin
        visible: root.page !== "clearing"
        label: qsTr("Petugas")
        onPressed: root.kiosk.openSignIn()
    }
}
