pragma ComponentBehavior: Bound
import QtQuick

// A reason: one of the usual ones, or typed.
Column {
    id: root

    property list<string> usual: []
    property int usualAt: -1
    property string reason: ""
    signal given(text: string)
    signal enterPressed

    function clear() {
        usualAt = -1;
        other.text = "";
        reason = "";
    }

    function giveUsual(position: int) {
        if (position < usual.length) {
            usualAt = position;
            other.text = "";
            given(usual[position]);
        }
    }

    spacing: Theme.mm(Theme.gapMm)

    Flow {
        width: parent.width
        spacing: Theme.mm(Theme.gapMm)

        Repeater {
            model: root.usual

            Choice {
                required property string modelData
                required property int index

                label: modelData
                hint: String(index + 1)
                round: true
                on: root.usualAt === index
                onPressed: root.giveUsual(index)
            }
        }
    }

    Field {
        id: other
        width: parent.width
        label: qsTr("Alasan lain")
        onEdited: text => {
            root.usualAt = -1;
            root.given(text);
        }
        onEnterPressed: root.enterPressed()
    }
}
