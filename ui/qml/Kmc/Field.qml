import QtQuick

// One line of typing with its label; the on-screen keys type into the field that has the focus.
Item {
    id: root

    property string label: ""
    property alias text: input.text
    property bool secret: false
    property bool digitsOnly: false
    readonly property alias input: input
    signal edited(text: string)
    signal enterPressed

    function take() {
        input.forceActiveFocus();
    }

    // Qt tells nothing of a password field, its name neither: the group around it carries the name.
    Accessible.role: Accessible.Grouping
    Accessible.name: label
    Accessible.ignored: !secret
    implicitHeight: caption.implicitHeight + Theme.mm(0.8) + Theme.mm(Theme.workTarget) + 1
    implicitWidth: Theme.mm(60)

    Label {
        id: caption
        width: parent.width
        text: root.label
        capMm: Theme.work
        color: Theme.inkSoft
        Accessible.ignored: true
    }

    Rectangle {
        id: box
        anchors.bottom: parent.bottom
        width: parent.width
        height: Theme.mm(Theme.workTarget) + 1
        radius: Theme.mm(1.8)
        color: Theme.card
        border.width: input.activeFocus ? Theme.mm(0.8) : Math.max(1, Theme.mm(0.3))
        border.color: input.activeFocus ? Theme.good : Theme.inkSoft

        TextInput {
            id: input
            anchors.fill: parent
            anchors.leftMargin: Theme.mm(2.6)
            anchors.rightMargin: Theme.mm(2.6)
            verticalAlignment: TextInput.AlignVCenter
            font.family: Theme.family
            font.pixelSize: Theme.cap(Theme.workStrong)
            color: Theme.ink
            selectionColor: Theme.deepSoft
            clip: true
            activeFocusOnTab: true
            echoMode: root.secret ? TextInput.Password : TextInput.Normal
            passwordCharacter: "•"
            inputMethodHints: root.secret ? Qt.ImhSensitiveData | Qt.ImhNoPredictiveText : Qt.ImhNoPredictiveText
            maximumLength: 80
            Accessible.role: Accessible.EditableText
            Accessible.name: root.label
            Accessible.editable: true
            Accessible.passwordEdit: root.secret
            onTextEdited: root.edited(text)
            onAccepted: root.enterPressed()
            Keys.onReturnPressed: event => {
                root.enterPressed();
                event.accepted = true;
            }
            Keys.onEnterPressed: event => {
                root.enterPressed();
                event.accepted = true;
            }
        }
    }
}
