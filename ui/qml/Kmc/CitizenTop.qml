import QtQuick
import Kmc.Models

// The card's name and the language switch.
Item {
    id: root

    required property KioskModel kiosk
    required property string cardName
    required property string cityName
    property bool onDark: true
    property bool portrait: false

    implicitHeight: portrait ? brand.implicitHeight + Theme.mm(6) + languages.implicitHeight
                             : Math.max(brand.implicitHeight, languages.implicitHeight)

    Column {
        id: brand
        anchors.left: parent.left
        anchors.top: parent.top
        anchors.topMargin: root.portrait ? 0 : Math.max(0, (languages.height - height) / 2)
        width: root.portrait ? parent.width : parent.width - languages.width - Theme.mm(6)

        Label {
            width: parent.width
            text: root.cardName
            capMm: Theme.small
            font.bold: true
            color: root.onDark ? Theme.goldText : Theme.deep
        }

        Label {
            width: parent.width
            text: root.kiosk.point === "" ? root.cityName : root.kiosk.point
            capMm: Theme.small
            color: root.onDark ? Theme.white : Theme.inkSoft
        }
    }

    LanguageSwitch {
        id: languages
        anchors.right: root.portrait ? undefined : parent.right
        anchors.left: root.portrait ? parent.left : undefined
        anchors.bottom: root.portrait ? parent.bottom : undefined
        kiosk: root.kiosk
        kind: root.onDark ? "dark" : "plain"
    }
}
