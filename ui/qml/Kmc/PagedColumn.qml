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
    // how many of the items count, where the model keeps empty rows in reserve; -1 for all
    property int used: -1
    property real contentHeight: 0
    // of all pages together: whoever gives or takes room by it does not turn in a circle
    property real totalHeight: 0
    readonly property int pages: Math.max(1, starts.length)
    readonly property int live: used < 0 ? items.count : Math.min(used, items.count)

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
        let total = 0;
        for (let n = 0; n < live; ++n) {
            const item = items.itemAt(n);
            if (!item)
                continue;
            const tall = item.implicitHeight;
            if (top > 0 && top + tall > height + 0.5) {
                begins.push(n);
                top = 0;
            }
            item.y = top;
            if (tall > 0) {
                top += tall + gap;
                total += tall + gap;
            }
            tallest = Math.max(tallest, top - gap);
        }
        contentHeight = tallest;
        totalHeight = total;
        starts = begins;
        if (page >= begins.length)
            page = begins.length - 1;
        reveal();
    }

    function reveal() {
        const first = starts[page];
        const next = page + 1 < starts.length ? starts[page + 1] : live;
        for (let n = 0; n < items.count; ++n) {
            const item = items.itemAt(n);
            if (item)
                item.visible = n >= first && n < next;
        }
    }

    onHeightChanged: arrange()
    onLiveChanged: arrange()
    onPageChanged: reveal()

    Repeater {
        id: items

        onItemAdded: (index, item) => {
            item.width = Qt.binding(() => root.width);
            item.implicitHeightChanged.connect(() => {
                if (index < root.live)
                    root.arrange();
            });
            root.arrange();
        }
        onItemRemoved: root.arrange()
    }
}
