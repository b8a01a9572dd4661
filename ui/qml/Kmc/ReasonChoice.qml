import QtQuick

// A reason: one of the usual ones, or typed.
Column {
    id: root

    property list<string> usual: []
    property string reason: ""
    property string label: qsTr("Alasan")
    signal given(text: string)
    signal enterPressed

    function giveUsual(position: int) {
        if (position < usual.length)
            given(usual[position]);
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
                on: root.reason === modelData
                onPressed: root.given(modelData)
            }
        }
    }

    Field {
        width: parent.width
        label: root.usual.length > 0 ? qsTr("Alasan lain") : root.label
        text: root.usual.includes(root.reason) ? "" : root.reason
        onEdited: text => root.given(text)
        onEnterPressed: root.enterPressed()
    }
}
