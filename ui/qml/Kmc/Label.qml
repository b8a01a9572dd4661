import QtQuick

// Text with its size as the height of capitals in millimetres.
Text {
    id: root

    property real capMm: Theme.body

    font.family: Theme.family
    font.pixelSize: Theme.cap(capMm)
    color: Theme.ink
    wrapMode: Text.WordWrap
    textFormat: Text.PlainText
    lineHeight: 0.96
    Accessible.role: Accessible.StaticText
    Accessible.name: text
    Accessible.ignored: text === ""
}
