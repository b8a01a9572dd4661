import QtQuick

// A column of items of any height, cut into pages: nothing scrolls.
Item {
    id: root

    property alias model: items.model
    property alias delegate: items.delegate
    property real gap: Theme.mm(Theme.gapMm)
    property int page: 0
    // index of the first item of each page
    property list<int> starts: [0]
    property real contentHeight: 0
    readonly property int pages: Math.max(1, starts.length)

    function pageOf(position: int): int {
        for (let n = starts.length - 1; n > 0; --n) {
            if (position >= starts[n])
                return n;
        }
        return 0;
    }

    function arrange() {
        const begins = [0];
        let top = 0;
        let tallest = 0;
        for (let n = 0; n < items.count; ++n) {
            const item = items.itemAt(n);
            if (!item)
                continue;
            if (top > 0 && top + item.implicitHeight > height + 0.5) {
                begins.push(n);
                top = 0;
            }
            item.y = top;
            if (item.implicitHeight > 0)
                top += item.implicitHeight + gap;
            tallest = Math.max(tallest, top - gap);
        }
        contentHeight = tallest;
        starts = begins;
        if (page >= begins.length)
            page = begins.length - 1;
        reveal();
    }

    function reveal() {
        for (let n = 0; n < items.count; ++n) {
            const item = items.itemAt(n);
            if (item)
                item.visible = pageOf(n) === page;
        }
    }

    onHeightChanged: arrange()
    onPageChanged: reveal()

    Repeater {
        id: items

        onItemAdded: (index, item) => {
            item.width = Qt.binding(() => root.width);
            item.implicitHeightChanged.connect(root.arrange);
            root.arrange();
        }
        onItemRemoved: root.arrange()
    }
}
