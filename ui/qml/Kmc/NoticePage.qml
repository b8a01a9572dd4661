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

    BigNotice {
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: top.bottom
        anchors.bottom: officerButton.top
        anchors.margins: root.margin
        words: root.words
        glyph: root.glyph
        accent: root.accent
        portrait: root.portrait
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
