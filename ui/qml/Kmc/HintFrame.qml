import QtQuick

// What the camera sees, as a frame, and in it the place of the code that it cannot read: as in a mirror, since
// people move a card the way a mirror shows it.
Rectangle {
    id: root

    required property rect region

    radius: Theme.mm(1)
    color: "transparent"
    border.width: Math.max(2, Theme.mm(0.6))
    border.color: Theme.white
    Accessible.ignored: true

    Rectangle {
        readonly property real inside: root.border.width

        x: inside + (1 - root.region.x - root.region.width) * (root.width - 2 * inside)
        y: inside + root.region.y * (root.height - 2 * inside)
        width: Math.max(inside, root.region.width * (root.width - 2 * inside))
        height: Math.max(inside, root.region.height * (root.height - 2 * inside))
        color: Theme.gold
        Accessible.ignored: true
    }
}
