import QtQuick

// One program of the person; what was taken already is a red block with when, where and by whom.
Rectangle {
    id: root

    required property int index
    required property string programId
    required property string nameId
    required property string nameEn
    required property string giftId
    required property string giftEn
    required property string code
    required property var now
    required property string agency
    required property string takenRef
    required property string takenBy
    required property bool choosable
    property bool selected: false
    property int numberKey: 0
    signal pressed

    readonly property string kind: code === "taken" ? "stop" : Words.kind(code)
    readonly property string stateWords: Words.state(now)
                                         + (takenRef === "" ? "" : " · " + qsTr("No. %1").arg(takenRef))
                                         + (takenBy === "" ? "" : " · " + qsTr("petugas %1").arg(takenBy))

    implicitHeight: Math.max(Theme.mm(Theme.workTarget) + 1, words.implicitHeight + Theme.mm(3))
    radius: Theme.mm(1.8)
    color: code === "taken" ? Theme.stopTint : code === "ready" ? Theme.goodTint : Theme.card
    border.width: selected ? Theme.mm(0.8) : 1
    border.color: selected ? Theme.deep : code === "taken" ? Theme.stop : Theme.line
    activeFocusOnTab: true
    Accessible.role: Accessible.ListItem
    Accessible.name: name.text + ". " + stateWords
    Accessible.focusable: true
    Accessible.selectable: true
    Accessible.selected: selected
    Accessible.onPressAction: root.pressed()
    Keys.onSpacePressed: root.pressed()

    Badge {
        id: badge
        x: Theme.mm(2.4)
        anchors.verticalCenter: parent.verticalCenter
        diameterMm: Theme.work * 2.2
        glyph: root.code === "taken" ? "stop" : Words.icon(root.code)
        color: Theme.colorOf(root.kind)
    }

    Column {
        id: words
        anchors.left: badge.right
        anchors.leftMargin: Theme.mm(2.4)
        anchors.right: key.visible ? key.left : parent.right
        anchors.rightMargin: Theme.mm(2.4)
        anchors.verticalCenter: parent.verticalCenter

        Label {
            id: name
            width: parent.width
            text: (Words.english ? root.nameEn : root.nameId)
                  + (root.code !== "ready" && !root.choosable ? "" : " · " + (Words.english ? root.giftEn : root.giftId))
            capMm: Theme.work
            font.bold: true
            Accessible.name: ""
            Accessible.ignored: true
        }

        Label {
            width: parent.width
            text: root.stateWords
            capMm: Theme.work
            color: root.code === "taken" ? Theme.stop : Theme.inkSoft
            font.bold: root.code === "taken"
            Accessible.name: ""
            Accessible.ignored: true
        }
    }

    Rectangle {
        id: key
        anchors.right: parent.right
        anchors.rightMargin: Theme.mm(2.4)
        anchors.verticalCenter: parent.verticalCenter
        visible: root.choosable && root.numberKey > 0 && root.numberKey < 10
        width: keyWords.implicitWidth + Theme.mm(3)
        height: keyWords.implicitHeight + Theme.mm(0.8)
        radius: Theme.mm(1)
        color: "transparent"
        border.width: 1
        border.color: Theme.ink

        Label {
            id: keyWords
            anchors.centerIn: parent
            text: String(root.numberKey)
            capMm: Theme.work
            Accessible.ignored: true
        }
    }

    TapHandler {
        gesturePolicy: TapHandler.ReleaseWithinBounds
        onTapped: root.pressed()
    }
}
