// uPlot in the colours of the page, as wide as its box, in light and dark.
//
//   const chart = new Chart(box, () => ({ series: [{}, { stroke: colour('--accent') }] }));
//   chart.draw([times, values]);
//
// The second argument gives what differs from the defaults; it is called again when the theme
// changes, because a canvas cannot use the style sheet's variables.

import uPlot from '/vendor/uPlot.esm.js';

export { uPlot };

const probe = document.createElement('i');
probe.hidden = true;

/** What a custom property of the page stands for at present, as canvases take it. */
export function colour(property) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${property})`;
    return getComputedStyle(probe).color;
}

export class Chart {
    #box;
    #options;
    #plot = null;
    #data = null;

    constructor(box, options) {
        this.#box = box;
        this.#options = options;
        new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(box);
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.rebuild());
        this.rebuild();
    }

    draw(data) {
        this.#data = data;
        this.#plot.setData(data);
    }

    rebuild() {
        this.#plot?.destroy();
        const axis = {
            stroke: colour('--muted'),
            font: `11px ${getComputedStyle(document.body).fontFamily}`,
            ticks: { show: false },
            grid: { stroke: colour('--border'), width: 1 },
        };
        const { axes = [], ...others } = this.#options();
        const options = {
            ...this.#size(),
            legend: { show: false },
            cursor: { show: false },
            padding: [8, 8, 0, 0],
            tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
            ...others,
            axes: [{ ...axis, grid: { show: false }, size: 40, space: 70, ...axes[0] },
                   { ...axis, size: 62, space: 36, ...axes[1] }],
        };
        this.#data ??= options.series.map(() => []);
        this.#plot = new uPlot(options, this.#data, this.#box);
    }

    #size() {
        return { width: Math.max(this.#box.clientWidth, 60), height: this.#box.clientHeight };
    }
}
