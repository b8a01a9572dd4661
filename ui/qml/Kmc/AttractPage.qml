import QtQuick
import Kmc.Models

// What the kiosk says when nobody is there: put your card here.
Rectangle {
    id: root

    required property KioskModel kiosk
    required property bool portrait
    required property bool reading
    required property string cardName
    required property string cityName
    required property string readerSide
    required property string hint
    required property rect hintRegion

    readonly property real margin: Theme.mm(6)
    readonly property real heroMm: Theme.hero * (portrait ? 1.35 : 1)
    readonly property bool narrow: portrait && Theme.shortSideMm < 180
    readonly property string hold: qsTr("Membaca… jangan angkat kartu")
    readonly property bool tapOnly: kiosk.tapReady || !kiosk.qrReady

    color: Theme.deep

    CitizenTop {
        id: top
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: root.margin
        kiosk: root.kiosk
        cardName: root.cardName
        cityName: root.cityName
        portrait: root.portrait
    }

    Item {
        id: picture
        x: root.margin
        y: root.portrait ? top.y + top.height + Math.round(root.height * 0.06)
                         : top.y + top.height + Theme.mm(3)
        width: root.portrait ? root.width - 2 * root.margin : Math.round(root.width * 0.33)
        height: root.portrait ? Math.round(Math.min(root.height * 0.36, root.width * 0.7)) : officerButton.y - y - Theme.mm(3)

        Image {
            anchors.centerIn: parent
            width: Math.min(parent.width, parent.height)
            height: width
            visible: root.tapOnly
            sourceSize: Qt.size(width, height)
            source: Qt.resolvedUrl("../../icons/tap.svg")
            Accessible.ignored: true
        }

        Badge {
            anchors.centerIn: parent
            visible: !root.tapOnly && root.hint === ""
            diameterMm: Math.min(parent.width, parent.height) * 0.86 / Theme.pixelsPerMm
            glyph: "qr"
            color: Theme.deepSoft
        }

        HintFrame {
            objectName: "hintFrame"
            anchors.centerIn: parent
            visible: !root.tapOnly && root.hint !== ""
            width: Math.round(Math.min(parent.width, parent.height * 16 / 9) * 0.86)
            height: Math.round(width * 9 / 16)
            region: root.hintRegion
        }
    }

    Column {
        id: words
        x: root.portrait ? root.margin : picture.x + picture.width + Theme.mm(7)
        y: root.portrait ? picture.y + picture.height + root.margin * 2
                         : top.y + top.height + Math.max(0, (root.height - root.margin - top.y - top.height - height) / 2)
        width: root.width - x - root.margin
        spacing: Theme.mm(root.portrait ? 7 : 4)

        Label {
            width: parent.width
            visible: root.reading
            text: root.narrow ? Words.bound(root.hold)
                              : Words.firstSentence(root.hold) + " " + Words.unbroken(Words.otherSentences(root.hold))
            capMm: root.heroMm
            font.bold: true
            color: Theme.white
            Accessible.name: root.hold
        }

        Label {
            width: parent.width
            visible: !root.reading && root.tapOnly
            text: Words.bound(qsTr("Tempelkan kartu di sini."))
            capMm: root.heroMm
            font.bold: true
            color: Theme.white
        }

        Row {
            width: parent.width
            spacing: Theme.mm(4)
            visible: !root.reading && root.tapOnly

            Image {
                id: arrow
                width: Theme.mm(Theme.hero * 1.5)
                height: width
                sourceSize: Qt.size(width, height)
                source: Qt.resolvedUrl("../../icons/arrow.svg")
                rotation: root.readerSide === "right" ? -90 : root.readerSide === "left" ? 90
                                                        : root.readerSide === "above" ? 180 : 0
                Accessible.ignored: true
            }

            Label {
                width: parent.width - arrow.width - parent.spacing
                anchors.verticalCenter: parent.verticalCenter
                text: Words.bound(qsTr("Tahan sampai terdengar bunyi."))
                capMm: Theme.title
                color: Theme.white
            }
        }

        Label {
            width: parent.width
            visible: !root.reading && !root.tapOnly
            text: Words.bound(root.hint === "" ? qsTr("Arahkan kode QR ke kamera")
                                                       : Words.hint(root.hint))
            capMm: root.heroMm
            font.bold: true
            color: Theme.white
        }

        Rectangle {
            visible: !root.reading && root.kiosk.qrReady && root.tapOnly
            width: parent.width
            height: qr.implicitHeight + Theme.mm(7)
            radius: Theme.mm(3)
            color: Theme.deepSoft

            Badge {
                id: qrIcon
                anchors.left: parent.left
                anchors.leftMargin: Theme.mm(3.5)
                anchors.verticalCenter: parent.verticalCenter
                glyph: "qr"
                color: "transparent"
                opacity: root.hint === "" ? 1 : 0
                diameterMm: Theme.body * 2.4
            }

            HintFrame {
                objectName: "hintFrameSmall"
                anchors.centerIn: qrIcon
                visible: root.hint !== ""
                width: qrIcon.width
                height: Math.round(width * 9 / 16)
                region: root.hintRegion
            }

            Label {
                id: qr
                anchors.left: qrIcon.right
                anchors.right: parent.right
                anchors.margins: Theme.mm(3.5)
                anchors.verticalCenter: parent.verticalCenter
                text: root.hint === "" ? qsTr("Arahkan kode QR ke kamera") : Words.hint(root.hint)
                font.bold: root.hint !== ""
                capMm: Theme.body
                color: Theme.white
            }
        }

        Label {
            width: parent.width
            visible: !root.reading && root.kiosk.loading >= 0
            text: qsTr("Data sedang dimuat: %1%.").arg(root.kiosk.loading)
            capMm: Theme.body
            color: Theme.goldText
        }

        Label {
            width: parent.width
            visible: !root.reading && !root.kiosk.tapReady && root.kiosk.qrReady
            text: qsTr("Alat pembaca terputus. Panggil petugas.")
            capMm: Theme.body
            color: Theme.goldText
        }

        Label {
            width: parent.width
            visible: !root.reading && root.kiosk.tapReady && root.kiosk.cameraLost
            text: qsTr("Kamera terputus. Pakai kartu.")
            capMm: Theme.body
            color: Theme.goldText
        }
    }

    PushButton {
        id: officerButton
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: root.margin
        visible: !root.reading
        label: qsTr("Petugas")
        kind: "dark"
        onPressed: root.kiosk.openSignIn()
    }
}
