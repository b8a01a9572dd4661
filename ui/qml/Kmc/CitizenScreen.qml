import QtQuick
import Kmc.Models

// The public screen: one page at a time, taps only, nothing that scrolls.
FocusScope {
    id: root

    required property KioskModel kiosk
    required property CitizenModel citizen
    required property string cardName
    required property string cityName
    required property string readerSide

    readonly property bool portrait: height > width
    readonly property string page: citizen.state

    onVisibleChanged: if (visible)
        forceActiveFocus()

    Keys.onPressed: event => {
        if (event.isAutoRepeat)
            return;
        if (event.key === Qt.Key_F4) {
            root.kiosk.openSignIn();
            event.accepted = true;
        } else if (event.key === Qt.Key_Escape) {
            root.citizen.finish();
            event.accepted = true;
        } else if (event.key === Qt.Key_Right || event.key === Qt.Key_PageDown) {
            result.turn(1);
            event.accepted = true;
        } else if (event.key === Qt.Key_Left || event.key === Qt.Key_PageUp) {
            result.turn(-1);
            event.accepted = true;
        }
    }

    AttractPage {
        anchors.fill: parent
        visible: root.page === "attract" || root.page === "reading"
        kiosk: root.kiosk
        portrait: root.portrait
        reading: root.page === "reading"
        cardName: root.cardName
        cityName: root.cityName
        readerSide: root.readerSide
        hint: root.citizen.hint
        hintRegion: root.citizen.hintRegion
    }

    ResultPage {
        id: result
        anchors.fill: parent
        visible: root.page === "result"
        kiosk: root.kiosk
        citizen: root.citizen
        portrait: root.portrait
    }

    NoticePage {
        anchors.fill: parent
        visible: ["fault", "reader_gone", "out_of_order", "clearing"].includes(root.page)
        kiosk: root.kiosk
        portrait: root.portrait
        page: root.page
        faultCode: root.citizen.faultCode
        cardName: root.cardName
        cityName: root.cityName
    }

    IdleWarning {
        anchors.fill: parent
        visible: root.citizen.warning
        citizen: root.citizen
    }
}
