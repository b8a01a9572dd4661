pragma Singleton
import QtQuick

// Sizes in millimetres, colours by meaning. Text sizes are heights of capitals.
QtObject {
    id: theme

    property real pixelsPerMm: 4
    property real shortSideMm: 135

    readonly property string family: "Atkinson Hyperlegible Next"
    // Height of capitals over the em of that font (its OS/2 table: 668 of 1000).
    readonly property real capRatio: 0.668

    // the citizen's screen: body 7.4 mm where there is room, nothing below 4.9 mm
    readonly property real body: Math.max(4.9, Math.min(7.4, shortSideMm * 0.036))
    readonly property real small: Math.max(4.9, body * 0.8)
    readonly property real title: body * 1.2
    readonly property real hero: body * 1.6
    readonly property real target: 20

    // the officer's screen: nothing below 3.5 mm, more where there is room
    readonly property real work: Math.max(3.5, Math.min(4.8, shortSideMm * 0.0185))
    readonly property real workStrong: work * 1.2
    readonly property real workTitle: work * 1.5
    readonly property real workTarget: 12.7
    readonly property real gapMm: 2.6

    readonly property color paper: "#F5F3EC"
    readonly property color card: "#FFFFFF"
    readonly property color ink: "#0C1F1B"
    readonly property color inkSoft: "#23372F"
    readonly property color line: "#C9CEC5"
    readonly property color deep: "#07332E"
    readonly property color deepSoft: "#0F4A43"
    readonly property color gold: "#F4BE4A"
    // gold light enough for text on deep: 10:1
    readonly property color goldText: "#FFDC8C"
    readonly property color white: "#FFFFFF"

    readonly property color good: "#0E6B3B"
    readonly property color goodTint: "#E3F4E8"
    readonly property color wait: "#A34A06"
    readonly property color waitTint: "#FFF1D0"
    readonly property color stop: "#9B1C1C"
    readonly property color stopTint: "#FCE4E1"
    readonly property color past: "#4A564F"
    readonly property color pastTint: "#ECEEE9"
    readonly property color cool: "#134C7A"
    readonly property color coolTint: "#E4EFF8"

    function mm(length: real): real {
        return Math.round(length * pixelsPerMm);
    }

    function cap(height: real): int {
        return Math.ceil(height * pixelsPerMm / capRatio);
    }

    function colorOf(kind: string): color {
        switch (kind) {
        case "good":
            return good;
        case "wait":
            return wait;
        case "stop":
            return stop;
        case "cool":
            return cool;
        default:
            return past;
        }
    }

    function tintOf(kind: string): color {
        switch (kind) {
        case "good":
            return goodTint;
        case "wait":
            return waitTint;
        case "stop":
            return stopTint;
        case "cool":
            return coolTint;
        default:
            return pastTint;
        }
    }
}
