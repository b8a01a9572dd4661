pragma ComponentBehavior: Bound
import QtQuick

// Keys on the screen for a counter without a keyboard: letters and digits, or digits alone for a PIN.
Rectangle {
    id: root

    property bool shown: false
    readonly property Item at: Window.activeFocusItem
    readonly property bool secret: target !== null && target.echoMode === TextInput.Password
    readonly property list<string> rows: secret ? ["123", "456", "789", "0"]
                                                : ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm-./"]
    property TextInput target: null

    function type(character: string) {
        if (target) {
            target.insert(target.cursorPosition, character);
            target.textEdited();
        }
    }

    function rubOut() {
        if (target && target.cursorPosition > 0) {
            target.remove(target.cursorPosition - 1, target.cursorPosition);
            target.textEdited();
        }
    }

    onAtChanged: if (at instanceof TextInput)
        target = at as TextInput

    color: Theme.pastTint
    height: keys.implicitHeight + Theme.mm(5.2)
    border.width: 1
    border.color: Theme.inkSoft

    Column {
        id: keys
        anchors.horizontalCenter: parent.horizontalCenter
        y: Theme.mm(2.6)
        spacing: Theme.mm(2.6)

        Label {
            width: root.width - Theme.mm(6)
            text: root.target ? root.target.Accessible.name + ": " + root.target.displayText : ""
            visible: text !== ""
            capMm: Theme.workStrong
            font.bold: true
            wrapMode: Text.WrapAnywhere
        }

        Repeater {
            model: root.rows

            Row {
                id: line

                required property string modelData
                required property int index

                anchors.horizontalCenter: parent ? parent.horizontalCenter : undefined
                spacing: Theme.mm(2.6)

                Repeater {
                    model: line.modelData.split("")

                    PushButton {
                        required property string modelData

                        label: modelData
                        capMm: Theme.work
                        targetMm: Theme.workTarget
                        activeFocusOnTab: false
                        onPressed: root.type(modelData)
                    }
                }

                PushButton {
                    visible: line.index === 1
                    label: qsTr("Hapus")
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    activeFocusOnTab: false
                    onPressed: root.rubOut()
                }

                PushButton {
                    visible: line.index === 2
                    label: qsTr("Tutup")
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    activeFocusOnTab: false
                    onPressed: root.shown = false
                }

                PushButton {
                    visible: line.index === 3 && !root.secret
                    label: qsTr("Spasi")
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    activeFocusOnTab: false
                    onPressed: root.type(" ")
                }

                PushButton {
                    visible: line.index === 3
                    label: "Enter"
                    kind: "primary"
                    capMm: Theme.work
                    targetMm: Theme.workTarget
                    activeFocusOnTab: false
                    onPressed: if (root.target)
                        root.target.accepted()
                }
            }
        }
    }
}
