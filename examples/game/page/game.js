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
const name = crypto.randomUUID().slice(0, 8);
const cells = new Map(); // key to players
let watched = new Set();
let mine = null; // my id
let me = { x: worldSize / 2, y: worldSize / 2, heading: 0 };
let input = -1;
let events = 0;
let bytes = 0;

const live = new LiveSocket('/live/ws', {
    onState: state => {
        element('state').dataset.state = state;
        element('state').textContent = state;
    },
});
watched = new Set(around(me));
live.subscribe('world', { mode: 'latest', rate: 30, keys: [...watched], snapshot: true }, {
    event: ({ key, bytes: payload }) => {
        events += 1;
        bytes += payload.length;
        cells.set(key, payload);
        findMyself(payload);
    },
});
start();

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

function findMyself(payload) {
    if (mine === null) return;
    for (const player of playersOf(payload)) {
        if (player.id !== mine) continue;
        me = player;
        follow();
    }
}

// The first to appear in our sight after we steered could be anybody, so the server is asked.
async function start() {
    await steer(0);
    for (let answer; !answer?.ok; ) {
        await new Promise(requestAnimationFrame);
        answer = await fetch(`/player?name=${name}`);
        if (answer.ok) mine = (await answer.json()).id;
    }
}

function steer(keys) {
    if (keys === input) return Promise.resolve();
    input = keys;
    return live.command({ publish: 'steering', key: name, data64: btoa(String.fromCharCode(keys)) });
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
canvas.onpointerup = () => steer(0);
canvas.onpointerdown = canvas.onpointermove = event => {
    if (event.buttons === 0) return;
    const box = canvas.getBoundingClientRect();
    const wanted = Math.atan2(event.clientY - box.top - box.height / 2,
                              event.clientX - box.left - box.width / 2);
    const turn = Math.atan2(Math.sin(wanted - me.heading), Math.cos(wanted - me.heading));
    steer(4 | (turn < -0.1 ? 1 : turn > 0.1 ? 2 : 0));
};

// The shortest way around the world from me, which has no edge.
const away = (to, from) => ((to - from + worldSize * 1.5) % worldSize) - worldSize / 2;

function draw() {
    const style = getComputedStyle(document.documentElement);
    paint.clearRect(0, 0, canvas.width, canvas.height);
    let near = 0;
    for (const payload of cells.values())
        for (const player of playersOf(payload)) {
            near += 1;
            const x = canvas.width / 2 + away(player.x, me.x);
            const y = canvas.height / 2 + away(player.y, me.y);
            paint.save();
            paint.translate(x, y);
            paint.rotate(player.heading);
            paint.fillStyle = style.getPropertyValue(player.id === mine ? '--bad' : '--accent');
            paint.beginPath();
            paint.moveTo(10, 0);
            paint.lineTo(-7, 6);
            paint.lineTo(-7, -6);
            paint.fill();
            paint.restore();
        }
    element('near').textContent = near;
    requestAnimationFrame(draw);
}
draw();

setInterval(() => {
    element('cells').textContent = watched.size;
    element('events').textContent = events;
    element('kilobytes').textContent = (bytes / 1024).toFixed(0);
    events = bytes = 0;
}, 1000);
