pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// One window: the citizen's screen, and the officer's while an officer is signed in.
Window {
    id: root

    required property KioskModel kiosk
    required property CitizenModel citizen
    required property OfficerModel officer
    required property ConfirmForm form
    required property DayList day
    required property real pixelsPerMm
    required property string cardName
    required property string cityName
    required property string readerSide

    title: "KMC"
    color: Theme.paper

    Binding {
        target: Theme
        property: "pixelsPerMm"
        value: root.pixelsPerMm
    }

    Binding {
        target: Theme
        property: "shortSideMm"
        value: Math.min(root.width, root.height) / root.pixelsPerMm
    }

    Binding {
        target: Words
        property: "language"
        value: root.kiosk.language
    }

    Binding {
        target: Words
        property: "today"
        value: root.kiosk.today
    }

    CitizenScreen {
        anchors.fill: parent
        visible: root.officer.stage === "off"
        focus: visible
        kiosk: root.kiosk
        citizen: root.citizen
        cardName: root.cardName
        cityName: root.cityName
        readerSide: root.readerSide
    }

    Loader {
        id: officerLoader
        anchors.fill: parent
        active: root.officer.stage !== "off"
        focus: active
        sourceComponent: OfficerScreen {
            focus: true
            kiosk: root.kiosk
            officer: root.officer
            form: root.form
            day: root.day
        }
        onLoaded: (item as OfficerScreen).forceActiveFocus()
    }
}
