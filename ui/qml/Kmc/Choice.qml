import QtQuick

// One of several (round) or one to tick (square), with the number key that does the same.
Item {
    id: root

    property string label: ""
    property string hint: ""
    property bool on: false
    property bool round: false
    signal pressed

    implicitHeight: Math.max(Theme.mm(Theme.workTarget) + 1, words.implicitHeight + Theme.mm(3))
    implicitWidth: box.width + words.implicitWidth + Theme.mm(8) + (key.visible ? key.width + Theme.mm(2) : 0)
    activeFocusOnTab: true
    Accessible.role: round ? Accessible.RadioButton : Accessible.CheckBox
    Accessible.name: label
    Accessible.checkable: true
    Accessible.checked: on
    Accessible.focusable: true
    Accessible.onPressAction: root.pressed()
    Accessible.onToggleAction: root.pressed()
    Keys.onSpacePressed: root.pressed()

    Rectangle {
        anchors.fill: parent
        radius: Theme.mm(1.8)
        color: root.on ? Theme.goodTint : Theme.card
        border.width: root.activeFocus ? Theme.mm(0.8) : root.on ? Theme.mm(0.5) : 1
        border.color: root.activeFocus ? Theme.gold : root.on ? Theme.good : Theme.inkSoft
    }

    Rectangle {
        id: box
        x: Theme.mm(2.4)
        anchors.verticalCenter: parent.verticalCenter
        width: Theme.mm(5.4)
        height: width
        radius: root.round ? width / 2 : Theme.mm(1)
        color: root.on ? Theme.good : Theme.card
        border.width: Math.max(1, Theme.mm(0.4))
        border.color: root.on ? Theme.good : Theme.inkSoft

        Image {
            anchors.centerIn: parent
            visible: root.on
            width: Math.round(parent.width * 0.9)
            height: width
            sourceSize: Qt.size(width, height)
            source: Qt.resolvedUrl("../../icons/check.svg")
        }
    }

    Label {
        id: words
        anchors.left: box.right
        anchors.leftMargin: Theme.mm(2.4)
        anchors.right: key.visible ? key.left : parent.right
        anchors.rightMargin: Theme.mm(2)
        anchors.verticalCenter: parent.verticalCenter
        text: root.label
        capMm: Theme.work
        Accessible.ignored: true
    }

    Rectangle {
        id: key
        anchors.right: parent.right
        anchors.rightMargin: Theme.mm(2)
        anchors.verticalCenter: parent.verticalCenter
        visible: root.hint !== ""
        width: keyWords.implicitWidth + Theme.mm(2.4)
        height: keyWords.implicitHeight + Theme.mm(0.8)
        radius: Theme.mm(1)
        color: "transparent"
        border.width: 1
        border.color: Theme.ink

        Label {
            id: keyWords
            anchors.centerIn: parent
            text: root.hint
            capMm: Theme.work
            Accessible.ignored: true
        }
    }

    TapHandler {
        gesturePolicy: TapHandler.ReleaseWithinBounds
        onTapped: root.pressed()
    }
}
