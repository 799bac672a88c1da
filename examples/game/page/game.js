// Watches the cells around the player: a set of keys that follows it. What comes is binary: for each
// player of a cell its id, x, y and heading.

import { LiveSocket } from '/support/live_socket.js';

const worldSize = 4000;
const cellSize = 200;
const columns = worldSize / cellSize;
const sight = 3; // cells to each side

const element = id => document.getElementById(id);
const canvas = element('view');
const paint = canvas.getContext('2d');
const name = `player-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
const cells = new Map(); // key to the players in it, decoded
let watched = new Set();
let me = null; // { id, x, y, heading }
let input = 0;
let events = 0;
let bytes = 0;

const live = new LiveSocket(`/live/ws?name=${name}`, {
    onState: state => {
        element('state').dataset.state = state;
        element('state').textContent = state;
    },
});

// Being on the channel is being in the game, and the key of our name says who we are there.
live.subscribe('players', { keys: [name] }, {
    event: ({ data }) => {
        me = { heading: 0, ...data };
        input = 0;
        if (watched.size > 0) return follow();
        watched = new Set(around(me));
        live.subscribe('world', { mode: 'latest', rate: 30, keys: [...watched], snapshot: true }, { event: see });
    },
});

function see({ key, bytes: payload }) {
    events += 1;
    bytes += payload.length;
    if (!watched.has(key)) return; // it was on its way when we left the cell
    const players = [...playersOf(payload)];
    cells.set(key, players);
    const mine = players.find(({ id }) => id === me.id);
    if (!mine) return;
    me = mine;
    follow();
}

function around({ x, y }) {
    const keys = [];
    const [column, row] = [Math.floor(x / cellSize), Math.floor(y / cellSize)];
    for (let i = -sight; i <= sight; ++i)
        for (let j = -sight; j <= sight; ++j)
            keys.push(`${(column + i + columns) % columns}:${(row + j + columns) % columns}`);
    return keys;
}

// The cells that came into sight bring their newest event at once; those that left are forgotten.
function follow() {
    const now = new Set(around(me));
    const add = [...now].filter(key => !watched.has(key));
    const remove = [...watched].filter(key => !now.has(key));
    if (add.length + remove.length === 0) return;
    for (const key of remove) cells.delete(key);
    watched = now;
    live.change('world', { add_keys: add, remove_keys: remove });
}

function* playersOf(payload) {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    for (let at = 0; at + 16 <= payload.length; at += 16)
        yield {
            id: view.getUint32(at, true), x: view.getFloat32(at + 4, true),
            y: view.getFloat32(at + 8, true), heading: view.getFloat32(at + 12, true),
        };
}

function steer(keys) {
    if (!me || keys === input) return;
    input = keys;
    live.command({ publish: 'steering', key: name, data64: btoa(String.fromCharCode(keys)) });
}

const held = new Set();
const bitOf = {
    ArrowLeft: 1, KeyA: 1, ArrowRight: 2, KeyD: 2, ArrowUp: 4, KeyW: 4,
};
const steerByKeys = () => steer([...held].reduce((all, code) => all | bitOf[code], 0));
addEventListener('keydown', event => {
    if (!(event.code in bitOf)) return;
    event.preventDefault();
    held.add(event.code);
    steerByKeys();
});
addEventListener('keyup', event => {
    if (held.delete(event.code)) steerByKeys();
});
addEventListener('blur', () => {
    held.clear();
    steer(0);
});

// A pointer that is held down says where to go, which is looked at for each frame.
let goal = null;
canvas.onpointerdown = event => {
    canvas.setPointerCapture(event.pointerId);
    goal = event;
};
canvas.onpointermove = event => {
    if (goal) goal = event;
};
canvas.onpointerup = canvas.onpointercancel = () => {
    goal = null;
    steer(0);
};

function steerByPointer() {
    if (!goal || !me) return;
    const box = canvas.getBoundingClientRect();
    const wanted = Math.atan2(goal.clientY - box.top - box.height / 2, goal.clientX - box.left - box.width / 2);
    const turn = Math.atan2(Math.sin(wanted - me.heading), Math.cos(wanted - me.heading));
    steer(4 | (turn < -0.1 ? 1 : turn > 0.1 ? 2 : 0));
}

// The shortest way around the world, which has no edge.
const away = (to, from) => ((to - from + worldSize * 1.5) % worldSize) - worldSize / 2;

// A canvas knows no custom properties, so the style sheet gives each colour to an element.
const colourOf = kind => getComputedStyle(element(kind)).color;
let colours = {};
function takeColours() {
    colours = { other: colourOf('other'), mine: colourOf('mine'), line: colourOf('line') };
}
takeColours();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', takeColours);

function drawGrid(width, height) {
    paint.strokeStyle = colours.line;
    paint.lineWidth = 1;
    paint.beginPath();
    for (let x = -(me.x % cellSize) - Math.ceil(width / 2 / cellSize) * cellSize; x < width / 2; x += cellSize) {
        paint.moveTo(x, -height / 2);
        paint.lineTo(x, height / 2);
    }
    for (let y = -(me.y % cellSize) - Math.ceil(height / 2 / cellSize) * cellSize; y < height / 2; y += cellSize) {
        paint.moveTo(-width / 2, y);
        paint.lineTo(width / 2, y);
    }
    paint.stroke();
}

function drawPlayer({ id, x, y, heading }) {
    paint.save();
    paint.translate(away(x, me.x), away(y, me.y));
    paint.rotate(heading);
    if (id === me.id) paint.scale(1.5, 1.5);
    paint.fillStyle = id === me.id ? colours.mine : colours.other;
    paint.beginPath();
    paint.moveTo(10, 0);
    paint.lineTo(-7, 6);
    paint.lineTo(-4, 0);
    paint.lineTo(-7, -6);
    paint.fill();
    paint.restore();
}

function draw() {
    requestAnimationFrame(draw);
    steerByPointer();
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
    }
    paint.setTransform(scale, 0, 0, scale, canvas.width / 2, canvas.height / 2);
    paint.clearRect(-width / 2, -height / 2, width, height);
    if (!me) return;
    drawGrid(width, height);
    for (const players of cells.values()) players.forEach(drawPlayer);
}
draw();

setInterval(() => {
    element('cells').textContent = `${watched.size} of ${columns * columns}`;
    element('near').textContent = [...cells.values()].reduce((sum, { length }) => sum + length, 0);
    element('events').textContent = events;
    element('kilobytes').textContent = (bytes / 1024).toFixed(0);
    element('where').textContent = me ? `${me.x.toFixed(0)}, ${me.y.toFixed(0)}` : '–';
    events = bytes = 0;
}, 1000);
