import QtQuick
import Kmc.Models

// The officer's layout: keyboard first, every key also a button.
FocusScope {
    id: root

    required property KioskModel kiosk
    required property OfficerModel officer
    required property ConfirmForm form
    required property DayList day

    readonly property bool portrait: height > width
    readonly property string stage: officer.stage
    readonly property string message: officer.message
    // On a small panel a question takes the whole width, and the list of today steps aside.
    readonly property bool compact: !portrait && Theme.shortSideMm < 180
    readonly property bool asking: ["confirm", "recording", "find", "void", "voiding", "unshown", "date", "adopt"].includes(stage)
    readonly property bool typing: Window.activeFocusItem instanceof TextInput

    // Keys go back to the screen itself whenever a pane closes, so that Enter means the pane's own step.
    onStageChanged: Qt.callLater(settle)
    onMessageChanged: if (message !== "")
        keyboard.shown = false
    Component.onCompleted: settle()

    function settle() {
        if (stage === "signin")
            signIn.begin();
        else if (stage === "find")
            find.begin();
        else if (stage === "date")
            dating.begin();
        else
            keys.forceActiveFocus();
    }

    function number(position: int) {
        if (stage === "person")
            person.chooseShown(position);
        else if (stage === "confirm")
            form.tick(position);
        else if (stage === "void")
            voiding.number(position);
        else if (stage === "unshown" && position < 2)
            officer.answerUnshown(position === 0);
    }

    Item {
        id: keys
        anchors.fill: parent
        focus: true
    }

    Keys.onPressed: event => {
        let used = true;
        if (event.isAutoRepeat && event.key !== Qt.Key_Up && event.key !== Qt.Key_Down)
            used = false;
        else if (event.key === Qt.Key_Return || event.key === Qt.Key_Enter)
            root.officer.enter();
        else if (event.key === Qt.Key_Escape)
            root.officer.back();
        else if (event.key === Qt.Key_F2)
            root.officer.openFind();
        else if (event.key === Qt.Key_F6 && root.kiosk.dateInDoubt && root.officer.isSupervisor)
            root.officer.openDate();
        else if (event.key === Qt.Key_F7)
            root.officer.openAdopt();
        else if (event.key === Qt.Key_Z && (event.modifiers & Qt.ControlModifier))
            root.officer.voidLast();
        else if (event.key === Qt.Key_Down && root.stage === "person")
            root.officer.selectNext(1);
        else if (event.key === Qt.Key_Up && root.stage === "person")
            root.officer.selectNext(-1);
        else if (event.key === Qt.Key_PageDown)
            root.stage === "person" ? person.turn(1) : root.stage === "confirm" ? confirming.turn(1) : today.turn(1);
        else if (event.key === Qt.Key_PageUp)
            root.stage === "person" ? person.turn(-1) : root.stage === "confirm" ? confirming.turn(-1) : today.turn(-1);
        else if (event.key === Qt.Key_Right && root.stage === "confirm")
            root.form.chooseNext(1);
        else if (event.key === Qt.Key_Left && root.stage === "confirm")
            root.form.chooseNext(-1);
        else if (event.key === Qt.Key_Plus && root.stage === "confirm")
            root.form.step(1);
        else if (event.key === Qt.Key_Minus && root.stage === "confirm")
            root.form.step(-1);
        else if (event.key >= Qt.Key_1 && event.key <= Qt.Key_9 && !root.typing)
            root.number(event.key - Qt.Key_1);
        else
            used = false;
        event.accepted = used;
    }

    Rectangle {
        anchors.fill: parent
        color: Theme.paper
    }

    OfficerHead {
        id: head
        width: parent.width
        kiosk: root.kiosk
        officer: root.officer
        onKeysWanted: keyboard.shown = !keyboard.shown
    }

    Item {
        id: work
        x: 0
        y: head.height
        width: root.portrait || !today.visible ? root.width : root.width - today.width
        height: (root.portrait && today.visible ? today.y : root.height) - y

        SignInPane {
            id: signIn
            anchors.fill: parent
            anchors.margins: Theme.mm(keyboard.visible ? 2 : 4)
            visible: root.stage === "signin"
            officer: root.officer
            // In the middle of what is seen, or right at the top when keys take the rest.
            lowered: !keyboard.visible
            onTouchTyping: keyboard.shown = true
        }

        WaitingPane {
            anchors.fill: parent
            anchors.margins: Theme.mm(4)
            visible: root.stage === "waiting"
            kiosk: root.kiosk
            officer: root.officer
        }

        PersonPane {
            id: person
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "person"
            officer: root.officer
        }

        ConfirmPane {
            id: confirming
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "confirm" || root.stage === "recording"
            officer: root.officer
            form: root.form
        }

        RecordedPane {
            anchors.fill: parent
            visible: root.stage === "recorded"
            officer: root.officer
            form: root.form
        }

        FindPane {
            id: find
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "find"
            officer: root.officer
        }

        DatePane {
            id: dating
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "date"
            kiosk: root.kiosk
            officer: root.officer
        }

        AdoptPane {
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "adopt"
            officer: root.officer
        }

        VoidPane {
            id: voiding
            anchors.fill: parent
            anchors.margins: Theme.mm(3)
            visible: root.stage === "void" || root.stage === "voiding"
            officer: root.officer
            day: root.day
        }

        UnshownPane {
            anchors.fill: parent
            anchors.margins: Theme.mm(4)
            visible: root.stage === "unshown"
            officer: root.officer
        }
    }

    DayPane {
        id: today
        visible: root.officer.isSignedIn && !(root.compact && root.asking)
        width: root.portrait ? root.width : Math.max(Theme.mm(76), Math.round(root.width * 0.32))
        height: root.portrait ? Math.round(root.height * 0.32) : root.height - head.height
        x: root.portrait ? 0 : root.width - width
        y: root.height - height
        officer: root.officer
        day: root.day
    }

    Keyboard {
        id: keyboard
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        visible: shown
    }
}
