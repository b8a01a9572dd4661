import QtQuick

// One line of what was refused or is missing, with its sign; takes no room when there is nothing to say.
Rectangle {
    id: root

    property string words: ""
    property string kind: "wait"

    visible: words !== ""
    implicitHeight: visible ? line.implicitHeight + Theme.mm(2.6) : 0
    radius: Theme.mm(1.6)
    color: Theme.tintOf(kind)
    border.width: 1
    border.color: Theme.colorOf(kind)
    Accessible.role: Accessible.AlertMessage
    Accessible.name: words

    Badge {
        id: mark
        x: Theme.mm(1.6)
        anchors.verticalCenter: parent.verticalCenter
        diameterMm: Theme.work * 1.5
        glyph: root.kind === "good" ? "check" : "attention"
        color: Theme.colorOf(root.kind)
    }

    Label {
        id: line
        anchors.left: mark.right
        anchors.right: parent.right
        anchors.margins: Theme.mm(1.6)
        anchors.verticalCenter: parent.verticalCenter
        text: root.words
        capMm: Theme.work
        font.bold: true
        Accessible.ignored: true
    }
}
