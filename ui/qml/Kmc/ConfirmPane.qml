pragma ComponentBehavior: Bound
import QtQuick
import Kmc.Models

// The question, then who collects, what was checked and how much: in pages where they do not fit at once.
Item {
    id: root

    required property OfficerModel officer
    required property ConfirmForm form

    readonly property string gift: Words.pick(form.giftId, form.giftEn)
    readonly property bool complete: form.missing === ""
    readonly property string kind: form.collectorKind
    // The section that still wants something; the page follows it.
    readonly property int wants: ["collector", "name", "letter"].includes(form.missing) ? 0
                                 : ["quantity", "reason"].includes(form.missing) ? 2
                                 : form.missing === "" ? -1 : 1

    function turn(step: int) {
        body.page = Math.max(0, Math.min(body.pages - 1, body.page + step));
    }

    onWantsChanged: if (wants >= 0)
        body.page = body.pageOf(wants)
    onVisibleChanged: if (visible)
        body.page = wants >= 0 ? body.pageOf(wants) : 0

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
            text: root.kind === "holder" || root.form.collectorName === ""
                  ? qsTr("Serahkan %1 kepada %2?").arg(root.gift).arg(root.form.holderName)
                  : root.kind === "guardian"
                    ? qsTr("Serahkan %1 kepada %2, wali %3?").arg(root.gift).arg(root.form.collectorName).arg(root.form.holderName)
                    : qsTr("Serahkan %1 kepada %2, wakil %3?").arg(root.gift).arg(root.form.collectorName).arg(root.form.holderName)
            capMm: Theme.workTitle * (Theme.shortSideMm > 180 ? 1.25 : 1)
            font.bold: true
        }
    }

    PagedColumn {
        id: body
        anchors.top: asks.bottom
        anchors.bottom: bar.top
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.topMargin: Theme.mm(2.6)
        anchors.bottomMargin: Theme.mm(2.6)
        model: [collectorSection, checkSection, amountSection]
        delegate: Loader {
            required property Component modelData

            sourceComponent: modelData
        }
    }

    Component {
        id: collectorSection

        Column {
            spacing: Theme.mm(Theme.gapMm)

            Flow {
                width: parent.width
                spacing: Theme.mm(Theme.gapMm)
                visible: who.count > 1 || root.kind !== "holder"

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
                visible: root.kind === "representative"

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
        }
    }

    Component {
        id: checkSection

        Flow {
            spacing: Theme.mm(Theme.gapMm)

            Repeater {
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
    }

    Component {
        id: amountSection

        Row {
            id: amount
            spacing: Theme.mm(Theme.gapMm)

            Label {
                id: caption
                anchors.bottom: parent.bottom
                anchors.bottomMargin: (less.height - height) / 2
                text: qsTr("Jumlah")
                capMm: Theme.work
                font.bold: true
            }

            PushButton {
                id: less
                anchors.bottom: parent.bottom
                label: "–"
                capMm: Theme.work
                targetMm: Theme.workTarget
                Accessible.name: qsTr("Kurangi jumlah")
                onPressed: root.form.step(-1)
            }

            Label {
                id: number
                anchors.bottom: parent.bottom
                anchors.bottomMargin: (less.height - height) / 2
                width: Math.max(implicitWidth, Theme.mm(18))
                horizontalAlignment: Text.AlignHCenter
                text: Words.pick(root.form.amountId, root.form.amountEn)
                capMm: Theme.workStrong
                font.bold: true
            }

            PushButton {
                id: more
                anchors.bottom: parent.bottom
                label: "+"
                capMm: Theme.work
                targetMm: Theme.workTarget
                Accessible.name: qsTr("Tambah jumlah")
                onPressed: root.form.step(1)
            }

            Field {
                anchors.bottom: parent.bottom
                width: body.width - more.x - more.width - Theme.mm(3)
                visible: root.form.closesRight
                label: qsTr("Alasan jumlahnya kurang")
                text: root.form.reason
                onEdited: text => root.form.setReason(text)
                onEnterPressed: root.officer.enter()
            }
        }
    }

    StepBar {
        id: bar
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        words: root.officer.message === "" || root.officer.message === "missing"
               ? Words.missing(root.form.missing) : Words.message(root.officer.message, root.officer.messageNumber)
        kind: root.officer.message === "" ? "wait" : "stop"

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

        PushButton {
            label: qsTr("Lanjut %1/%2").arg(body.page + 1).arg(body.pages)
            visible: body.pages > 1
            capMm: Theme.work
            targetMm: Theme.workTarget
            onPressed: body.page = (body.page + 1) % body.pages
        }
    }
}
