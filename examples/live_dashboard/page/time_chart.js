// Lines over the last minute, drawn by uPlot.

import uPlot from './vendor/uPlot.esm.js';
import { bytes, setText, timeOfDay, whole } from './format.js';
import { colour } from './theme.js';

export const chartFont = () => `11px ${getComputedStyle(document.body).fontFamily}`;

/** The axes that all charts have: quiet, legible in both themes, and never changing their size. */
export function axes(format, width = 46) {
    const common = {
        stroke: colour('--muted'),
        font: chartFont(),
        ticks: { show: false },
        grid: { stroke: colour('--grid'), width: 1 },
    };
    // A label at the right end would be cut off; it comes as soon as there is room for it.
    const times = (chart, splits) => {
        const roomSeconds =
            (chart.scales.x.max - chart.scales.x.min) * (26 / Math.max(chart.width - width, 60));
        return splits.map((split) =>
            split > chart.scales.x.max - roomSeconds ? '' : timeOfDay(split * 1000),
        );
    };
    return [
        {
            ...common,
            grid: { show: false },
            size: 26,
            gap: 6,
            space: 90,
            incrs: [10, 15, 20, 30, 60],
            values: times,
        },
        {
            ...common,
            size: width,
            gap: 6,
            space: 36,
            values: (chart, splits) => splits.map(format),
        },
    ];
}

export class TimeChart {
    #container;
    #legend;
    #format;
    #range;
    #series = [];
    #chart = null;
    #windowSeconds;

    /**
     * @param options.range   gives the value axis's ends for the greatest value shown
     * @param options.format  how values are written
     */
    constructor(container, legend, { range, format, windowSeconds = 60 }) {
        this.#container = container;
        this.#legend = legend;
        this.#range = range;
        this.#format = format;
        this.#windowSeconds = windowSeconds;
        new ResizeObserver(() => this.#chart?.setSize(this.#size())).observe(container);
    }

    /** @param series  [{ name, title, colour, width }]; `colour` names a custom property */
    setSeries(series) {
        this.#series = series;
        this.rebuild();
    }

    get seriesCount() {
        return this.#series.length;
    }

    /** Makes the chart anew, in the colours of the theme. */
    rebuild() {
        this.#chart?.destroy();
        const lines = this.#series.map((each) => ({
            stroke: colour(each.colour),
            width: each.width ?? 1.5,
            alpha: each.alpha ?? 1,
            points: { show: false },
        }));
        const options = {
            ...this.#size(),
            legend: { show: false },
            cursor: { show: false },
            padding: [8, 6, 0, 0],
            scales: {
                x: { time: true, range: () => [this.end - this.#windowSeconds, this.end] },
                y: { range: (chart, low, high) => this.#range(high ?? 0) },
            },
            axes: axes(this.#format),
            series: [{}, ...lines],
        };
        this.#chart = new uPlot(options, [[], ...lines.map(() => [])], this.#container);
        this.#legend.replaceChildren(...this.#series.filter((each) => each.title).map(legendEntry));
    }

    /** @param table  the telemetry; @param now  seconds, where the chart ends */
    draw(table, now) {
        if (!this.#chart) return;
        this.end = now;
        this.#chart.setData([table.times, ...this.#series.map((each) => table.column(each.name))]);
        for (const entry of this.#legend.children)
            setText(entry.lastChild, this.#format(table.latest(entry.dataset.name) ?? 0));
    }

    end = Date.now() / 1000;

    #size() {
        return {
            width: Math.max(this.#container.clientWidth, 60),
            height: this.#container.clientHeight,
        };
    }
}

function legendEntry({ name, title, colour: property }) {
    const entry = document.createElement('li');
    entry.dataset.name = name;
    const swatch = entry.appendChild(document.createElement('i'));
    swatch.className = 'swatch';
    swatch.style.background = `var(${property})`;
    entry.append(title, ' ');
    entry.append(document.createElement('b'));
    return entry;
}

export const percentFormat = (value) => whole(value);
export const bytesFormat = (value) => bytes(value).replace('.0 ', ' ');
