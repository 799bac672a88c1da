// One-second bars as candles, and their average as a line: uPlot with a drawing of its own.

import uPlot from './vendor/uPlot.esm.js';
import { colour } from './theme.js';
import { axes } from './time_chart.js';

const windowSeconds = 75;

export class CandleChart {
    #container;
    #chart = null;
    #instrument = null;
    #end = Date.now() / 1000;

    constructor(container) {
        this.#container = container;
        new ResizeObserver(() => this.#chart?.setSize(this.#size())).observe(container);
    }

    show(instrument) {
        this.#instrument = instrument;
        this.rebuild();
    }

    rebuild() {
        this.#chart?.destroy();
        if (!this.#instrument) return;
        const hidden = { paths: () => null, points: { show: false } };
        const average = {
            stroke: colour('--accent'),
            width: 1.5,
            points: { show: false },
            spanGaps: true,
        };
        this.#chart = new uPlot(
            {
                ...this.#size(),
                legend: { show: false },
                cursor: { show: false },
                padding: [8, 6, 0, 0],
                scales: {
                    x: { time: true, range: () => [this.#end - windowSeconds, this.#end] },
                    y: { range: (chart, low, high) => this.#padded(low, high) },
                },
                axes: axes((value) => value.toFixed(this.#instrument.decimals), 62),
                series: [{}, hidden, hidden, hidden, hidden, average],
                hooks: { drawSeries: [(chart, index) => index === 4 && this.#drawCandles(chart)] },
            },
            [[], [], [], [], [], []],
            this.#container,
        );
    }

    /** @param now  seconds, where the chart ends */
    draw(now) {
        if (!this.#chart) return;
        this.#end = now;
        const { bars, forming } = this.#instrument;
        const shown = (forming ? [...bars, forming] : bars).filter(
            (bar) => bar.begin > now - windowSeconds - 5,
        );
        const column = (name) => shown.map((bar) => bar[name]);
        this.#chart.setData([
            shown.map((bar) => bar.begin + 0.5),
            column('open'),
            column('high'),
            column('low'),
            column('close'),
            column('average'),
        ]);
    }

    #padded(low, high) {
        if (low == null) return [0, 1];
        const least = low * 1e-4;
        const room = Math.max((high - low) * 0.08, (least - (high - low)) / 2, 0);
        return [low - room, high + room];
    }

    #drawCandles(chart) {
        const { ctx: context, data, bbox } = chart;
        const [times, open, high, low, close] = data;
        const width = Math.max(2, Math.round((bbox.width / windowSeconds) * 0.62));
        const wick = Math.max(1, Math.round(devicePixelRatio));
        context.save();
        context.beginPath();
        context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        context.clip();
        const y = (value) => Math.round(chart.valToPos(value, 'y', true));
        for (let i = 0; i < times.length; ++i) {
            const x = Math.round(chart.valToPos(times[i], 'x', true));
            context.fillStyle = colour(close[i] >= open[i] ? '--up-fill' : '--down-fill');
            context.fillRect(
                x - Math.floor(wick / 2),
                y(high[i]),
                wick,
                Math.max(1, y(low[i]) - y(high[i])),
            );
            const top = y(Math.max(open[i], close[i]));
            const bottom = y(Math.min(open[i], close[i]));
            context.fillRect(x - Math.floor(width / 2), top, width, Math.max(wick, bottom - top));
        }
        context.restore();
    }

    #size() {
        return {
            width: Math.max(this.#container.clientWidth, 60),
            height: this.#container.clientHeight,
        };
    }
}
