import QtQuick

// A white glyph on a disc in a status colour.
Rectangle {
    id: root

    property string glyph: "check"
    property real diameterMm: 10

    width: Theme.mm(diameterMm)
    height: width
    radius: width / 2
    color: Theme.good
    Accessible.ignored: true

    Image {
        anchors.centerIn: parent
        width: Math.round(root.width * 0.66)
        height: width
        sourceSize: Qt.size(width, height)
        source: Qt.resolvedUrl("../../icons/" + root.glyph + ".svg")
    }
}
