pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// One person: full name, the card, and the programs with their states.
Item {
    id: root

    required property OfficerModel officer

    readonly property string visitId: officer.visitId
    readonly property int selected: officer.selected

    function turn(step: int) {
        list.page = Math.max(0, Math.min(list.pages - 1, list.page + step));
    }

    function chooseShown(position: int) {
        root.officer.select(list.starts[list.page] + position);
    }

    onVisitIdChanged: list.page = 0
    onSelectedChanged: list.page = list.pageOf(selected)

    PushButton {
        id: birth
        anchors.right: parent.right
        anchors.top: parent.top
        label: qsTr("Tanggal lahir")
        visible: root.officer.birthDate === "" && root.officer.fullName !== ""
        capMm: Theme.work
        targetMm: Theme.workTarget
        onPressed: root.officer.revealBirth()
    }

    Column {
        id: who
        width: parent.width
        spacing: Theme.mm(1)

        Label {
            width: parent.width - (birth.visible ? birth.width + Theme.mm(3) : 0)
            height: Math.max(implicitHeight, birth.height)
            verticalAlignment: Text.AlignVCenter
            text: root.officer.fullName === "" ? qsTr("Kartu %1").arg(root.officer.cardNo) : root.officer.fullName
            capMm: Theme.workTitle
            font.bold: true
        }

        Label {
            width: parent.width
            visible: root.officer.fullName !== ""
            text: qsTr("NIK •••• %1").arg(root.officer.nikLast4) + " · " + qsTr("Kartu %1").arg(root.officer.cardNo)
                  + " · " + Words.medium(root.officer.medium)
                  + (root.officer.birthDate === "" ? "" : " · " + qsTr("Lahir %1").arg(Words.date(root.officer.birthDate)))
            capMm: Theme.work
            color: Theme.inkSoft
        }

        MessageLine {
            width: parent.width
            words: Words.message(root.officer.message, root.officer.messageNumber)
            kind: root.officer.message === "already_taken" ? "stop" : root.officer.message === "voided" ? "good" : "wait"
        }
    }

    Label {
        anchors.top: who.bottom
        anchors.topMargin: Theme.mm(6)
        width: parent.width
        visible: root.officer.fullName !== "" && root.officer.visitId !== "" && root.officer.rowCount === 0
        text: qsTr("Belum ada program untuk kartu ini.")
        capMm: Theme.workTitle
    }

    PagedColumn {
        id: list
        anchors.top: who.bottom
        anchors.topMargin: Theme.mm(2.6)
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: tools.top
        anchors.bottomMargin: Theme.mm(2.6)
        model: root.officer.rows
        used: root.officer.rowCount
        delegate: OfficerRow {
            selected: index === root.officer.selected
            numberKey: index - list.starts[list.page] + 1
            onPressed: {
                if (root.officer.selected === index)
                    root.officer.enter();
                else
                    root.officer.select(index);
            }
        }
    }

    Flow {
        id: tools
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        spacing: Theme.mm(Theme.gapMm)

        PushButton {
            label: qsTr("Serahkan")
            hint: "Enter"
            kind: "primary"
            visible: root.officer.readyCount > 0
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.enter()
        }

        PushButton {
            label: qsTr("Sambungkan kartu lama")
            hint: "F7"
            visible: root.officer.adoptName !== ""
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.openAdopt()
        }

        PushButton {
            label: qsTr("Selesai")
            hint: "Esc"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.back()
        }

        PushButton {
            label: qsTr("Lanjut %1/%2").arg(list.page + 1).arg(list.pages)
            visible: list.pages > 1
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: list.page = (list.page + 1) % list.pages
        }
    }
}
