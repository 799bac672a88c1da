// Puts the page together: one connection feeds charts, quotes and alerts; four more are compared.

import { addAlert } from './alert_list.js';
import { CandleChart } from './candle_chart.js';
import { Comparison } from './comparison.js';
import { setText, short, whole } from './format.js';
import { LiveFeed } from './live_feed.js';
import { Market } from './market.js';
import { QuoteTable } from './quote_table.js';
import { ServerClock } from './server_clock.js';
import { TelemetryTable } from './telemetry_table.js';
import { offerThemes } from './theme.js';
import { TimeChart, bytesFormat, percentFormat } from './time_chart.js';

const field = (name) => document.querySelector(`[data-field='${name}']`);
const element = (id) => document.getElementById(id);

const clock = new ServerClock();
const feed = new LiveFeed();
const telemetry = new TelemetryTable();
const market = new Market();
const published = { telemetry: 0, quotes: 0 };

// Charts

const upTo = (least) => (high) => [0, Math.max(least, high * 1.1)];
const cpu = new TimeChart(element('cpu'), element('cpu-legend'), {
    range: () => [0, 100],
    format: percentFormat,
});
const network = new TimeChart(element('network'), element('network-legend'), {
    range: upTo(1e4),
    format: bytesFormat,
});
const disk = new TimeChart(element('disk'), element('disk-legend'), {
    range: upTo(1e5),
    format: bytesFormat,
});
const candles = new CandleChart(element('candles'));

network.setSeries([
    { name: 'network.received', title: 'in', colour: '--series-1' },
    { name: 'network.sent', title: 'out', colour: '--series-2' },
    { name: 'network.loopback', title: 'loopback', colour: '--series-3' },
]);
disk.setSeries([
    { name: 'disk.read', title: 'read', colour: '--series-1' },
    { name: 'disk.written', title: 'written', colour: '--series-2' },
]);

/** Few cores have a colour each; many are a cloud around their mean. */
function coreSeries(names) {
    if (names.length <= 8)
        return names.map((name, i) => ({
            name,
            title: `core ${name.slice(4)}`,
            colour: `--series-${i + 1}`,
        }));
    const cloud = names.map((name) => ({ name, colour: '--series-1', width: 1, alpha: 0.35 }));
    return [...cloud, { name: 'cpu', title: 'all', colour: '--ink', width: 2 }];
}

let coreCount = 0;
function matchCores() {
    const cores = telemetry.names.filter((name) => name.startsWith('cpu.'));
    if (cores.length === coreCount) return;
    coreCount = cores.length;
    cpu.setSeries(coreSeries(cores));
}

// Market

const quotes = new QuoteTable(element('quotes'), (symbol) => choose(symbol));
let chosen = null;

function choose(symbol) {
    chosen = symbol;
    quotes.mark(symbol);
    quotes.render(market);
    setText(field('symbol'), symbol);
    candles.show(market.get(symbol));
}

function renderMarket() {
    quotes.render(market);
    const first = market.get('EURUSD') ?? market.instruments[0];
    if (!chosen && first) choose(first.symbol);
    const average = market.get(chosen)?.bars.at(-1)?.average;
    if (average) setText(field('average'), average.toFixed(market.get(chosen).decimals));
}

// The page's own feed

feed.subscribe('telemetry', { cursor: 'oldest' }, ({ key, data }) => {
    telemetry.add(key, data.t, data.value);
    // The past is read, and no longer in the way.
    if (data.t > clock.now() - 1000) beginComparison();
});
feed.subscribe('bars', { cursor: 'oldest' }, (event) => market.bar(event));
feed.subscribe('quotes', { snapshot: true }, (event) => market.quote(event));
feed.subscribe('alerts', { cursor: 'oldest' }, ({ data }) => addAlert(element('alerts'), data));
feed.subscribe('rates', { snapshot: true }, ({ key, data }) => {
    if (key in published) published[key] = data.value;
    else market.rate(key.slice('quotes.'.length), data.value);
});
feed.onstate = (state) => {
    const status = document.querySelector('.status');
    status.dataset.state = state;
    setText(status.lastElementChild, state);
};

// The comparison

const comparison = new Comparison(element('lanes'), clock, feed);
let hasBegun = false;
function beginComparison() {
    if (hasBegun) return;
    hasBegun = true;
    comparison.start('telemetry');
    render();
}

const cutAll = element('cut-all');
cutAll.addEventListener('click', () => comparison.toggleAll());
for (const button of document.querySelectorAll('[data-channel]'))
    button.addEventListener('click', () => {
        for (const each of document.querySelectorAll('[data-channel]'))
            each.setAttribute('aria-pressed', each === button);
        comparison.start(button.dataset.channel);
        render();
    });

// Figures change four times a second, as fast as they can be read. Charts move a pixel at a time:
// a minute passes most of them at about five pixels a second.

function render() {
    comparison.render();
    comparison.draw(clock.now());
    renderMarket();
    matchCores();
    setText(cutAll, comparison.isCut ? 'Resume all' : 'Cut all');
    setText(field('published'), whole(published.telemetry + published.quotes));
    for (const figure of document.querySelectorAll('[data-metric]')) {
        const value = telemetry.latest(figure.dataset.metric);
        if (value === null) continue;
        setText(figure, figure.dataset.metric === 'load' ? value.toFixed(2) : short(value));
    }
}

function draw() {
    const now = clock.now();
    for (const chart of [cpu, network, disk]) chart.draw(telemetry, now / 1000);
    candles.draw(now / 1000);
}

offerThemes(document.querySelector('.theme'), () => {
    for (const chart of [cpu, network, disk, candles]) chart.rebuild();
    render();
    draw();
});

await clock.synchronise();
setText(field('market'), `${clock.about.market[0].toUpperCase()}${clock.about.market.slice(1)}`);
feed.open();
setTimeout(beginComparison, 3_000); // where there is no telemetry
setInterval(render, 250);
setInterval(() => requestAnimationFrame(draw), 200);
setInterval(() => clock.synchronise().catch(() => {}), 30_000);
