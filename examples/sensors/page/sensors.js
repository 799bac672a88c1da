// Readings of one sensor over what is usual, how odd each is, and what to look at.

import { Chart, colour } from '/support/chart.js';
import { LiveSocket } from '/support/live_socket.js';
import { showAlerts } from '/support/alerts.js';

const readingsKept = 1500;
const usualDeviations = 2; // mean absolute ones: four of five values of a bell curve or so
const oddestShown = 6;
const element = (id) => document.getElementById(id);
const sensors = new Map(); // { readings, button } by name
let chosen = null;
let isDirty = false;

const hidden = { points: { show: false }, stroke: 'transparent' };
const time = { time: true };
const values = new Chart(element('values'), () => ({
    scales: { x: time },
    series: [
        {}, hidden, hidden,
        { stroke: colour('--accent'), width: 1.2, points: { show: false } },
    ],
    bands: [{ series: [2, 1], fill: faded(colour('--good')) }],
}));
const scores = new Chart(element('scores'), () => ({
    scales: { x: time, y: { range: [0, oddestShown] } },
    series: [{}, { stroke: colour('--bad'), width: 1.2, points: { show: false } }],
}));

const live = new LiveSocket('/live/ws', { onState: showState });
live.subscribe('readings', { cursor: 'oldest' }, { event: ({ data }) => add(data) });
showAlerts(live, element('alerts'), { who: 'engineer', time: timeText });

function add(reading) {
    const { readings } = sensorOf(reading.key);
    readings.push(reading);
    if (readings.length > readingsKept) readings.shift();
    isDirty = true;
}

function sensorOf(name) {
    if (sensors.has(name)) return sensors.get(name);
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.onclick = () => choose(name);
    element('sensors').append(button);
    sensors.set(name, { readings: [], button });
    if (chosen === null || name === 'cpu') choose(name);
    return sensors.get(name);
}

function choose(name) {
    chosen = name;
    for (const [each, { button }] of sensors)
        button.setAttribute('aria-pressed', each === name);
    isDirty = true;
}

function draw() {
    requestAnimationFrame(draw);
    if (!isDirty) return;
    isDirty = false;
    const { readings } = sensors.get(chosen);
    const last = readings.at(-1);
    if (!last) return;
    const column = (of) => readings.map(of);
    const times = column(({ time }) => time / 1000);
    const usual = (sign) => ({ expected, deviation }) =>
        deviation === null ? null : expected + sign * usualDeviations * deviation;
    values.draw([times, column(usual(-1)), column(usual(1)), column(({ value }) => value)]);
    scores.draw([times, column(({ score }) => Math.min(-Math.log10(1 - score), oddestShown))]);
    element('sensor').textContent = chosen;
    element('value').textContent = Number(last.value.toPrecision(5)).toLocaleString('en');
    element('clock').textContent = `${timeText(last.time)} UTC`;
}
requestAnimationFrame(draw);

function timeText(milliseconds) {
    return new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ');
}

function faded(paint) {
    return paint.replace('rgb(', 'rgba(').replace(')', ', 0.22)');
}

function showState(state) {
    element('state').dataset.state = state;
    element('state').textContent = state;
}
