pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// The demonstration's card tray: a click is a tap of that card.
Window {
    id: root

    required property TrayModel tray
    required property real pixelsPerMm

    title: "KMC – kartu peragaan"
    color: Theme.paper

    Binding {
        target: Theme
        property: "pixelsPerMm"
        value: root.pixelsPerMm
    }

    Label {
        id: title
        x: Theme.mm(3)
        y: Theme.mm(3)
        width: parent.width - 2 * x
        text: qsTr("Kartu peragaan")
        capMm: Theme.workTitle
        font.bold: true
    }

    PagedColumn {
        id: list
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: title.bottom
        anchors.bottom: foot.top
        anchors.margins: Theme.mm(3)
        model: root.tray.cards
        delegate: Rectangle {
            id: entry

            required property string cardNo
            required property string label
            required property string holder
            required property string chip
            required property bool onReader
            required property bool atCamera

            implicitHeight: Math.max(words.implicitHeight, Theme.mm(Theme.workTarget)) + buttons.implicitHeight + Theme.mm(6)
            radius: Theme.mm(2)
            color: onReader || atCamera ? Theme.goodTint : Theme.card
            border.width: 1
            border.color: onReader || atCamera ? Theme.good : Theme.line

            Column {
                id: words
                x: Theme.mm(3)
                y: Theme.mm(2)
                width: parent.width - 2 * x

                Label {
                    width: parent.width
                    text: entry.holder === "" ? entry.label : entry.holder
                    capMm: Theme.work
                    font.bold: true
                }

                Label {
                    width: parent.width
                    text: entry.label + " · " + entry.chip + " · " + entry.cardNo
                    capMm: Theme.work
                    color: Theme.inkSoft
                }

                TapHandler {
                    onTapped: root.tray.tap(entry.cardNo)
                }
            }

            Flow {
                id: buttons
                x: Theme.mm(3)
                anchors.bottom: parent.bottom
                anchors.bottomMargin: Theme.mm(2)
                width: parent.width - 2 * x
                spacing: Theme.mm(Theme.gapMm)

                PushButton {
                    label: qsTr("Tempelkan")
                    kind: "primary"
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    onPressed: root.tray.tap(entry.cardNo)
                }

                PushButton {
                    label: entry.onReader ? qsTr("Angkat") : qsTr("Taruh")
                    chosen: entry.onReader
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    onPressed: entry.onReader ? root.tray.lift() : root.tray.put(entry.cardNo)
                }

                PushButton {
                    label: entry.atCamera ? qsTr("Turunkan QR") : qsTr("Tunjukkan QR")
                    chosen: entry.atCamera
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    onPressed: entry.atCamera ? root.tray.hideQr() : root.tray.showQr(entry.cardNo)
                }
            }
        }
    }

    Column {
        id: foot
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: Theme.mm(3)
        spacing: Theme.mm(Theme.gapMm)

        MessageLine {
            width: parent.width
            words: root.tray.trouble
            kind: "stop"
        }

        Row {
            spacing: Theme.mm(Theme.gapMm)

            PushButton {
                label: qsTr("Kembali")
                visible: list.page > 0
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: list.page -= 1
            }

            PushButton {
                label: qsTr("Lanjut %1/%2").arg(list.page + 1).arg(list.pages)
                visible: list.page < list.pages - 1
                capMm: Theme.work
                targetMm: Theme.workTarget
                onPressed: list.page += 1
            }
        }
    }
}
