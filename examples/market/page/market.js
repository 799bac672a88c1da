// Bars of one symbol with their average, all positions, and the alerts.

import { LiveSocket } from '/support/live_socket.js';
import { showAlerts } from '/support/alerts.js';
import { CandleChart, priceText } from './candle_chart.js';

const barsKept = 120;
const averagesKept = 1000; // several come in the time of a bar
const element = (id) => document.getElementById(id);
const live = new LiveSocket('/live/ws', { onState: showState });
const chart = new CandleChart(element('bars'));
const symbols = new Map(); // { bars, averages, spread, row } by name
let chosen = null;
let isDirty = false;

// Bars from the beginning, so that the chart is full at once; the rest as it stands.
live.subscribe('bars', { cursor: 'oldest' }, { event: ({ data }) => addBar(data) });
live.subscribe('averages', { cursor: 'oldest' }, { event: ({ data }) => addAverage(data) });
live.subscribe('spreads', { mode: 'latest', rate: 5, snapshot: true }, {
    event: ({ data }) => {
        symbolOf(data.symbol).spread = data;
        isDirty = true;
    },
});
live.subscribe('portfolio', { mode: 'latest', rate: 5, snapshot: true }, {
    event: ({ key, data }) => (key === 'total' ? showTotal(data) : showPosition(data)),
});
showAlerts(live, element('alerts'), { who: 'trader' });

function symbolOf(name) {
    if (!symbols.has(name))
        symbols.set(name, { bars: [], averages: [], spread: null, row: makeRow(name) });
    if (chosen === null) choose(name);
    return symbols.get(name);
}

/// An open bar is published again and again, marked as provisional, until it closes.
function addBar({ key, begin, end, value, provisional = false }) {
    const { bars } = symbolOf(key);
    const bar = { begin: begin / 1000, end: end / 1000, provisional, ...value };
    const at = bars.findLastIndex((each) => each.begin === bar.begin);
    if (at >= 0) bars[at] = bar;
    else bars.push(bar);
    if (bars.length > barsKept) bars.shift();
    isDirty = true;
}

function addAverage({ key, end, value }) {
    const { averages } = symbolOf(key);
    if (value !== null) averages.push({ at: end / 1000, value });
    if (averages.length > averagesKept) averages.shift();
    isDirty = true;
}

function choose(name) {
    chosen = name;
    for (const [each, { row }] of symbols) row.setAttribute('aria-selected', each === name);
    isDirty = true;
}

function makeRow(name) {
    const row = element('positions').insertRow();
    const button = document.createElement('button');
    button.textContent = name;
    row.insertCell().append(button);
    for (let i = 0; i < 3; ++i) row.insertCell().className = 'number';
    row.onclick = () => choose(name);
    row.setAttribute('aria-selected', name === chosen);
    return row;
}

function showPosition({ symbol, amount, price, gained }) {
    const { cells } = symbolOf(symbol).row;
    cells[1].textContent = amount.toLocaleString('en', { maximumSignificantDigits: 6 });
    cells[2].textContent = priceText(price);
    showMoney(cells[3], gained);
}

function showTotal({ t, gained }) {
    element('clock').textContent = `${new Date(t).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    showMoney(element('gained'), gained);
}

function showMoney(where, value) {
    where.textContent = `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
    where.dataset.sign = Math.sign(Number(value.toFixed(2)));
}

function draw() {
    requestAnimationFrame(draw);
    if (!isDirty || chosen === null) return;
    isDirty = false;
    const { bars, averages, spread } = symbols.get(chosen);
    element('symbol').textContent = chosen;
    chart.draw(bars, averages);
    element('average').textContent = averages.length > 0 ? priceText(averages.at(-1).value) : '–';
    element('spread').textContent = spread ? Number(spread.spread.toPrecision(3)) : '–';
    element('usual').textContent = spread ? `usual ${Number(spread.usual.toPrecision(3))}` : '';
}
requestAnimationFrame(draw);

function showState(state) {
    element('state').dataset.state = state;
    element('state').textContent = state;
}
