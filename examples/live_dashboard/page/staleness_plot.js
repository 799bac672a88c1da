// How stale each update was when it came, over the last 30 seconds. All four plots share one
// logarithmic scale, so that their heights can be compared.

import { colour } from './theme.js';

const seconds = 30;
const bucketMilliseconds = 250;
const lowest = 0.2; // ms, at the bottom
const highest = 5_000; // ms, at the top
const lines = [
    [1, '1 ms'],
    [10, '10'],
    [100, '100'],
    [1000, '1 s'],
];
const labelWidth = 34;

function fraction(staleness) {
    const clamped = Math.min(Math.max(staleness, lowest), highest);
    return Math.log(clamped / lowest) / Math.log(highest / lowest);
}

/** The lowest and highest staleness within each quarter of a second. */
function buckets(recent) {
    const found = new Map();
    for (const { time, staleness } of recent) {
        const key = Math.floor(time / bucketMilliseconds);
        const bucket = found.get(key);
        if (!bucket) found.set(key, { low: staleness, high: staleness });
        else {
            bucket.low = Math.min(bucket.low, staleness);
            bucket.high = Math.max(bucket.high, staleness);
        }
    }
    return found;
}

export function drawStaleness(canvas, recent, now) {
    const ratio = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (
        canvas.width !== Math.round(width * ratio) ||
        canvas.height !== Math.round(height * ratio)
    ) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);

    const y = (staleness) => height - 4 - fraction(staleness) * (height - 8);
    context.font = '10.5px ' + getComputedStyle(canvas).fontFamily;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const [staleness, text] of lines) {
        context.fillStyle = colour('--grid');
        context.fillRect(labelWidth, Math.round(y(staleness)), width - labelWidth, 1);
        context.fillStyle = colour('--muted');
        context.fillText(text, labelWidth - 6, y(staleness) + 0.5);
    }

    const plotWidth = width - labelWidth;
    const bar = Math.max(1.5, plotWidth / ((seconds * 1000) / bucketMilliseconds) - 1);
    context.fillStyle = getComputedStyle(canvas).color;
    for (const [key, { low, high }] of buckets(recent)) {
        const age = now - (key + 0.5) * bucketMilliseconds;
        const x = width - (age / (seconds * 1000)) * plotWidth - bar / 2;
        if (x < labelWidth || x + bar > width) continue;
        const top = y(high) - 1;
        context.fillRect(x, top, bar, Math.max(2, y(low) + 1 - top));
    }
}
