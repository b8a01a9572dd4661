import QtQuick

// The steps a pane offers, and beside them what is missing or was refused.
Item {
    id: root

    property string words: ""
    property string kind: "wait"
    default property alias buttons: steps.data

    implicitHeight: Math.max(steps.implicitHeight, line.implicitHeight)

    Row {
        id: steps
        anchors.bottom: parent.bottom
        spacing: Theme.mm(Theme.gapMm)
    }

    MessageLine {
        id: line
        anchors.left: steps.right
        anchors.leftMargin: Theme.mm(3)
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        words: root.words
        kind: root.kind
    }
}
