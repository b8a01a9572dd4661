import QtQuick

// One program on the citizen's screen: what it is and what it means now.
Rectangle {
    id: root

    required property string programId
    required property string nameId
    required property string nameEn
    required property string code
    required property var now
    property real grow: 1

    readonly property string kind: Words.kind(code)

    implicitHeight: Math.max(words.implicitHeight + Theme.mm(3), badge.height + Theme.mm(3))
    radius: Theme.mm(2.6)
    color: kind === "good" ? Theme.goodTint : Theme.card
    border.width: kind === "good" ? Theme.mm(0.6) : 1
    border.color: kind === "good" ? Theme.good : Theme.line
    Accessible.role: Accessible.ListItem
    Accessible.name: name.text + ". " + state.text

    Badge {
        id: badge
        anchors.left: parent.left
        anchors.leftMargin: Theme.mm(3)
        anchors.verticalCenter: parent.verticalCenter
        diameterMm: Theme.body * root.grow * 2.1
        glyph: Words.icon(root.code)
        color: Theme.colorOf(root.kind)
    }

    Column {
        id: words
        anchors.left: badge.right
        anchors.right: parent.right
        anchors.leftMargin: Theme.mm(3.4)
        anchors.rightMargin: Theme.mm(3)
        anchors.verticalCenter: parent.verticalCenter

        Label {
            id: name
            width: parent.width
            text: Words.english ? root.nameEn : root.nameId
            capMm: Theme.body * root.grow
            font.bold: true
            Accessible.name: ""
            Accessible.ignored: true
        }

        Label {
            id: state
            width: parent.width
            text: Words.state(root.now)
            capMm: Theme.body * root.grow
            color: Theme.inkSoft
            Accessible.name: ""
            Accessible.ignored: true
        }
    }
}
