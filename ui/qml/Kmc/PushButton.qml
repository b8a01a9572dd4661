import QtQuick

// A labelled button: touch, Enter or Space when it has the focus, and a name for assistive technology.
Item {
    id: root

    property string label: ""
    property string hint: ""
    property string kind: "plain"
    property bool chosen: false
    property real capMm: Theme.small
    property real targetMm: Theme.target
    signal pressed

    readonly property real keyRoom: keyBox.visible ? keyBox.width + row.spacing : 0
    readonly property bool filled: kind === "primary" || kind === "danger" || chosen
    readonly property color face: kind === "danger" ? Theme.stop : kind === "dark" ? (chosen ? Theme.gold : Theme.deep)
                                  : filled ? Theme.deepSoft : Theme.card
    readonly property color ink: kind === "dark" ? (chosen ? Theme.ink : Theme.white) : filled ? Theme.white : Theme.ink

    implicitHeight: Math.max(Theme.mm(targetMm) + 1, words.implicitHeight + Theme.mm(2))
    // Of the words as they want to be, not as they fit: a growing label would wrap in the width it had.
    implicitWidth: Math.max(Theme.mm(targetMm) + 1, words.implicitWidth + keyRoom + Theme.mm(targetMm * 0.5))
    activeFocusOnTab: true
    Accessible.role: Accessible.Button
    Accessible.name: label
    Accessible.focusable: true
    Accessible.onPressAction: root.pressed()
    Keys.onPressed: event => {
        if (event.key === Qt.Key_Return || event.key === Qt.Key_Enter || event.key === Qt.Key_Space) {
            event.accepted = true;
            if (!event.isAutoRepeat)
                root.pressed();
        }
    }

    Rectangle {
        anchors.fill: parent
        radius: Theme.mm(2.2)
        color: touch.pressed ? Qt.darker(root.face, 1.15) : root.face
        border.width: root.activeFocus ? Theme.mm(0.9) : Math.max(1, Theme.mm(0.35))
        border.color: root.activeFocus ? Theme.gold : root.kind === "dark" ? Theme.white : root.filled ? root.face
                                                                                                       : Theme.inkSoft
    }

    Row {
        id: row
        anchors.centerIn: parent
        spacing: Theme.mm(2)

        Label {
            id: words
            anchors.verticalCenter: parent.verticalCenter
            width: Math.min(implicitWidth, root.width > 0 ? root.width - Theme.mm(3) - root.keyRoom : implicitWidth)
            text: root.label
            capMm: root.capMm
            font.bold: true
            color: root.ink
            horizontalAlignment: Text.AlignHCenter
            Accessible.ignored: true
        }

        Rectangle {
            id: keyBox
            anchors.verticalCenter: parent.verticalCenter
            visible: root.hint !== ""
            width: key.implicitWidth + Theme.mm(2.4)
            height: key.implicitHeight + Theme.mm(0.8)
            radius: Theme.mm(1)
            color: "transparent"
            border.width: 1
            border.color: root.ink

            Label {
                id: key
                anchors.centerIn: parent
                text: root.hint
                capMm: Theme.work
                color: root.ink
                Accessible.ignored: true
            }
        }
    }

    TapHandler {
        id: touch
        gesturePolicy: TapHandler.ReleaseWithinBounds
        onTapped: root.pressed()
    }
}
