import QtQuick
import Kmc.Models

// Indonesia / English, in words.
Row {
    id: root

    required property KioskModel kiosk
    property string kind: "plain"
    property real capMm: Theme.small
    property real targetMm: Theme.target

    spacing: Theme.mm(Theme.gapMm)

    PushButton {
        label: "Indonesia"
        kind: root.kind
        capMm: root.capMm
        targetMm: root.targetMm
        chosen: root.kiosk.language === "id"
        onPressed: root.kiosk.setLanguage("id")
    }

    PushButton {
        label: "English"
        kind: root.kind
        capMm: root.capMm
        targetMm: root.targetMm
        chosen: root.kiosk.language === "en"
        onPressed: root.kiosk.setLanguage("en")
    }
}
