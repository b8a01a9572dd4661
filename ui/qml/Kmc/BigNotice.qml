import QtQuick

// One thing to know: a large sign, what happened, and below it what to do.
Item {
    id: root

    required property string words
    required property string glyph
    required property color accent
    required property bool portrait

    readonly property real gap: Theme.mm(portrait ? 10 : 8)

    Badge {
        id: badge
        x: root.portrait ? (parent.width - width) / 2 : Theme.mm(4)
        y: Math.max(0, (parent.height - height - (root.portrait ? texts.height + root.gap : 0)) / 2)
        diameterMm: root.portrait ? Math.min(90, Theme.shortSideMm * 0.36) : Math.min(70, Theme.shortSideMm * 0.36)
        glyph: root.glyph
        color: root.accent
    }

    Column {
        id: texts
        x: root.portrait ? 0 : badge.x + badge.width + root.gap
        y: root.portrait ? badge.y + badge.height + root.gap : (parent.height - height) / 2
        width: parent.width - x
        spacing: Theme.mm(5)

        Label {
            width: parent.width
            text: Words.bound(Words.firstSentence(root.words))
            capMm: Theme.hero
            font.bold: true
            horizontalAlignment: root.portrait ? Text.AlignHCenter : Text.AlignLeft
            Accessible.name: root.words
        }

        Label {
            width: parent.width
            visible: text !== ""
            text: Words.otherSentences(root.words)
            capMm: Theme.title
            horizontalAlignment: root.portrait ? Text.AlignHCenter : Text.AlignLeft
            Accessible.ignored: true
        }
    }
}
