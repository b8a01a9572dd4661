import QtQuick
import Kmc.Models

// Who collects, what was checked, how much; then the question, and Enter.
Item {
    id: root

    required property OfficerModel officer
    required property ConfirmForm form

    readonly property string gift: Words.pick(form.giftId, form.giftEn)
    readonly property bool complete: form.missing === ""

    Rectangle {
        id: asks
        width: parent.width
        height: question.implicitHeight + Theme.mm(4)
        radius: Theme.mm(2.4)
        color: Theme.goodTint
        border.width: Theme.mm(0.5)
        border.color: Theme.good

        Label {
            id: question
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.margins: Theme.mm(3)
            anchors.verticalCenter: parent.verticalCenter
            text: root.form.collectorKind === "holder" || root.form.collectorName === ""
                  ? qsTr("Serahkan %1 kepada %2?").arg(root.gift).arg(root.form.holderName)
                  : root.form.collectorKind === "guardian"
                    ? qsTr("Serahkan %1 kepada %2, wali %3?").arg(root.gift).arg(root.form.collectorName).arg(root.form.holderName)
                    : qsTr("Serahkan %1 kepada %2, wakil %3?").arg(root.gift).arg(root.form.collectorName).arg(root.form.holderName)
            capMm: Theme.workTitle
            font.bold: true
        }
    }

    Column {
        id: body
        anchors.top: asks.bottom
        anchors.topMargin: Theme.mm(2.6)
        width: parent.width
        spacing: Theme.mm(2.6)

        Flow {
            width: parent.width
            spacing: Theme.mm(Theme.gapMm)
            visible: who.count > 1 || root.form.collectorKind !== "holder"

            Repeater {
                id: who
                model: root.form.collectors

                Choice {
                    required property int index
                    required property string kind
                    required property string name
                    required property string relation
                    required property bool chosen

                    label: kind === "representative" ? Words.collectorKind(kind, relation)
                                                     : name + " (" + Words.collectorKind(kind, relation) + ")"
                    round: true
                    on: chosen
                    onPressed: root.form.choose(index)
                }
            }
        }

        Row {
            width: parent.width
            spacing: Theme.mm(3)
            visible: root.form.collectorKind === "representative"

            Field {
                width: (parent.width - parent.spacing) / 2
                label: qsTr("Nama wakil")
                text: root.form.representativeName
                onEdited: text => root.form.setRepresentativeName(text)
                onEnterPressed: letter.take()
            }

            Field {
                id: letter
                width: (parent.width - parent.spacing) / 2
                label: qsTr("Nomor surat kuasa")
                text: root.form.letter
                onEdited: text => root.form.setLetter(text)
                onEnterPressed: root.officer.enter()
            }
        }

        Flow {
            width: parent.width
            spacing: Theme.mm(Theme.gapMm)
            visible: checks.count > 0

            Repeater {
                id: checks
                model: root.form.checkRows

                Choice {
                    required property int index
                    required property string code
                    required property bool ticked

                    label: qsTr("Sudah dicek: %1").arg(Words.documentName(code))
                    hint: String(index + 1)
                    on: ticked
                    onPressed: root.form.tick(index)
                }
            }
        }

        Row {
            spacing: Theme.mm(Theme.gapMm)

            Label {
                anchors.verticalCenter: parent.verticalCenter
                text: qsTr("Jumlah")
                capMm: Theme.work
                font.bold: true
            }

            PushButton {
                label: "–"
                capMm: Theme.work
                targetMm: Theme.workTarget
                Accessible.name: qsTr("Kurangi jumlah")
                onPressed: root.form.step(-1)
            }

            Label {
                anchors.verticalCenter: parent.verticalCenter
                width: Math.max(implicitWidth, Theme.mm(18))
                horizontalAlignment: Text.AlignHCenter
                text: root.form.unit === "Rp" ? "Rp " + root.form.number : root.form.number + " " + root.form.unit
                capMm: Theme.workStrong
                font.bold: true
            }

            PushButton {
                label: "+"
                capMm: Theme.work
                targetMm: Theme.workTarget
                Accessible.name: qsTr("Tambah jumlah")
                onPressed: root.form.step(1)
            }
        }

        Field {
            width: parent.width
            visible: root.form.closesRight
            label: qsTr("Alasan jumlahnya kurang (sisa hak ditutup)")
            text: root.form.reason
            onEdited: text => root.form.setReason(text)
            onEnterPressed: root.officer.enter()
        }

        MessageLine {
            width: parent.width
            words: root.officer.message === "" || root.officer.message === "missing"
                   ? Words.missing(root.form.missing) : Words.message(root.officer.message, root.officer.messageNumber)
            kind: root.officer.message === "" ? "wait" : "stop"
        }
    }

    Row {
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        spacing: Theme.mm(Theme.gapMm)

        PushButton {
            label: root.officer.stage === "recording" ? qsTr("Sedang dicatat…") : qsTr("Serahkan")
            hint: "Enter"
            kind: root.complete ? "primary" : "plain"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.enter()
        }

        PushButton {
            label: qsTr("Kembali")
            hint: "Esc"
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: root.officer.back()
        }
    }
}
