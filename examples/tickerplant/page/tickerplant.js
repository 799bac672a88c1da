// Three lanes that follow by pattern: what producers publish, its copy, and the copy of the copy.
// Each draws when its events arrived. And producers of the page's own, by WebSocket or by POST.

import { LiveSocket } from '/support/live_socket.js';

const shown = 6000; // milliseconds across a lane
const rowHeight = 15;
const element = id => document.getElementById(id);

class Lane {
    #root;
    #rows = new Map(); // symbol to its row of the table
    #marks = []; // { at, row }
    #received = 0;

    constructor(title, text) {
        this.#root = element('lane').content.cloneNode(true).firstElementChild;
        this.#root.querySelector('h2').textContent = title;
        this.#root.querySelector('p').textContent = text;
        element('lanes').append(this.#root);
    }

    take({ channel, data }) {
        const row = this.#rowOf(channel.slice(channel.indexOf('.') + 1));
        const price = data?.price;
        row.cells[1].textContent = typeof price === 'number' ? price.toFixed(2) : JSON.stringify(data);
        row.cells[2].textContent = Number(row.cells[2].textContent) + 1;
        this.#marks.push({ at: performance.now(), row: row.sectionRowIndex });
        this.#received += 1;
    }

    #rowOf(symbol) {
        let row = this.#rows.get(symbol);
        if (row) return row;
        row = this.#root.querySelector('tbody').insertRow();
        for (const kind of ['', 'number', 'number']) row.insertCell().className = kind;
        row.cells[0].textContent = symbol;
        row.cells[2].textContent = 0;
        this.#rows.set(symbol, row);
        return row;
    }

    draw() {
        const canvas = this.#root.querySelector('canvas');
        const scale = devicePixelRatio;
        const width = canvas.clientWidth;
        const height = Math.max(6, this.#rows.size) * rowHeight + 10;
        canvas.style.height = `${height}px`;
        canvas.width = width * scale;
        canvas.height = height * scale;
        const now = performance.now();
        this.#marks = this.#marks.filter(({ at }) => now - at < shown);
        const paint = canvas.getContext('2d');
        paint.scale(scale, scale);
        paint.fillStyle = getComputedStyle(canvas).color;
        for (const { at, row } of this.#marks)
            paint.fillRect(width * (1 - (now - at) / shown) - 2, 5 + row * rowHeight + 2, 2.5, rowHeight - 4);
    }

    showRate() {
        this.#root.querySelector('[data-field=rate]').textContent = this.#received;
        this.#received = 0;
    }
}

const live = new LiveSocket('/live/ws', {
    onState: state => {
        element('state').dataset.state = state;
        element('state').textContent = state;
    },
});
const lanes = [
    ['ticks', 'What is published, as it comes.'],
    ['screen', 'A copy of ticks.*, at most every 200 ms.'],
    ['wall', 'A copy of screen.*, at most every second.'],
].map(([prefix, text]) => {
    const lane = new Lane(`${prefix}.*`, text);
    live.subscribe(`${prefix}.*`, { snapshot: true }, { event: event => lane.take(event) });
    return lane;
});
live.subscribe('plant.state', { snapshot: true }, {
    event: ({ data }) => {
        element('count').textContent = data.producers;
        for (const each of element('ways').querySelectorAll('button'))
            each.ariaPressed = Number(each.dataset.interval) === data.interval;
    },
});

element('ways').onclick = ({ target }) => {
    if (target.dataset.interval === undefined) return;
    live.command({ publish: 'plant.interval', data: Number(target.dataset.interval) });
};

const publishBy = {
    WebSocket: (channel, data) => live.command({ publish: channel, data }),
    POST: (channel, data) => fetch(`/live/publish?channel=${channel}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(data),
    }),
};

element('produce').onsubmit = event => {
    event.preventDefault();
    const symbol = element('symbol').value.toUpperCase();
    const by = element('by').value;
    let price = 50 + 100 * Math.random();
    const timer = setInterval(() => {
        price *= 1 + (Math.random() - 0.5) / 500;
        publishBy[by](`ticks.${symbol}`, { price });
    }, 100);
    const stop = document.createElement('button');
    stop.textContent = `stop ${symbol} (${by})`;
    stop.onclick = () => {
        clearInterval(timer);
        item.remove();
    };
    const item = document.createElement('li');
    item.append(stop);
    element('producers').append(item);
};

function draw() {
    for (const each of lanes) each.draw();
    requestAnimationFrame(draw);
}
draw();
setInterval(() => lanes.forEach(each => each.showRate()), 1000);
