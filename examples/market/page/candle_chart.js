// Bars as candles, those that are still open hollow, and their average as a line.

import { Chart, colour } from '/support/chart.js';

const shownMax = 80;

export class CandleChart {
    #bars = [];
    #chart;

    constructor(box) {
        const hidden = { paths: () => null, points: { show: false } };
        this.#chart = new Chart(box, () => ({
            scales: { x: { time: true, range: () => this.#span() }, y: { range: padded } },
            series: [
                {}, hidden, hidden,
                { stroke: colour('--accent'), width: 1.5, points: { show: false }, spanGaps: true },
            ],
            axes: [{}, { size: 72, values: (plot, splits) => splits.map(priceText) }],
            hooks: { drawAxes: [(plot) => this.#drawCandles(plot)] },
        }));
    }

    /** @param averages  [{ at, value }], oldest first */
    draw(bars, averages) {
        this.#bars = bars.slice(-shownMax);
        const column = (of) => this.#bars.map(of);
        let next = 0;
        this.#chart.draw([
            column(({ begin, end }) => (begin + end) / 2),
            column(({ low }) => low),
            column(({ high }) => high),
            column(({ end }) => {
                while (averages[next]?.at < end) ++next;
                return averages[next - 1]?.value ?? null; // the last of the bar
            }),
        ]);
    }

    #span() {
        const last = this.#bars.at(-1);
        if (!last) return [0, 1];
        const first = Math.min(this.#bars[0].begin, last.end - 30 * (last.end - last.begin));
        return [first, last.end];
    }

    #drawCandles(plot) {
        const { ctx: context, bbox } = plot;
        const x = (seconds) => plot.valToPos(seconds, 'x', true);
        const y = (price) => Math.round(plot.valToPos(price, 'y', true));
        const line = Math.max(1, Math.round(devicePixelRatio));
        context.save();
        context.beginPath();
        context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        context.clip();
        context.lineWidth = line;
        for (const { begin, end, open, high, low, close, provisional } of this.#bars) {
            const width = Math.max(3, Math.round((x(end) - x(begin)) * 0.66));
            const middle = Math.round(x((begin + end) / 2));
            const paint = colour(close >= open ? '--good' : '--bad');
            const top = y(Math.max(open, close));
            const height = Math.max(line, y(Math.min(open, close)) - top);
            context.fillStyle = context.strokeStyle = paint;
            context.fillRect(middle - Math.floor(line / 2), y(high), line, top - y(high));
            context.fillRect(middle - Math.floor(line / 2), top + height, line, y(low) - top - height);
            const box = [Math.round(middle - width / 2), top, width, height];
            if (provisional) context.strokeRect(...box);
            else context.fillRect(...box);
        }
        context.restore();
    }
}

/** Six digits or so, and as many after the point as other prices of the size have. */
export function priceText(price) {
    return price.toFixed(Math.max(0, Math.min(6, 5 - Math.floor(Math.log10(price)))));
}

function padded(plot, low, high) {
    if (low == null) return [0, 1];
    const room = Math.max((high - low) * 0.08, low * 1e-5);
    return [low - room, high + room];
}
