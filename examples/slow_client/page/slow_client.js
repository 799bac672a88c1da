// The same feed twice, drawn at the pace of the slider. The page's clock and the server's are those
// of one machine here, so the age of a price is a plain difference.

import { LiveSocket } from '/support/live_socket.js';

const element = id => document.getElementById(id);

// One way of following the feed: counts what comes and shows a table.
class Lane {
    #root;
    #rows = new Map();
    #received = 0;
    #standsFor = 0;
    #bytes = 0;
    #newest = 0;

    constructor(id) {
        this.#root = element(id);
        this.#root.append(element('lane').content.cloneNode(true));
    }

    count(event) {
        this.#received += 1;
        this.#standsFor += event.count ?? 1;
        this.#bytes += JSON.stringify(event).length;
    }

    draw(event) {
        this.#newest = Math.max(this.#newest, event.data.at);
        let row = this.#rows.get(event.key);
        if (!row) {
            const before = [...this.#rows.keys()].filter(key => key < event.key).length;
            row = this.#root.querySelector('tbody').insertRow(before);
            for (const kind of ['', 'number', 'number']) row.insertCell().className = kind;
            row.cells[0].textContent = event.key;
            this.#rows.set(event.key, row);
        }
        row.cells[1].textContent = event.data.price.toFixed(2);
        row.cells[2].textContent = event.count ?? 1;
    }

    showFigures(waiting) {
        const age = this.#newest ? Date.now() - this.#newest : 0;
        const figure = this.#set('age', age < 1000 ? `${age} ms` : `${(age / 1000).toFixed(1)} s`);
        figure.classList.toggle('old', age > 2000);
        this.#set('received', this.#received);
        this.#set('stands_for', this.#standsFor);
        this.#set('bytes', this.#bytes.toLocaleString('en'));
        this.#set('waiting', waiting);
        this.#received = this.#standsFor = this.#bytes = 0;
    }

    #set(field, text) {
        const at = this.#root.querySelector(`[data-field=${field}]`);
        at.textContent = text;
        return at;
    }
}

const showState = state => {
    element('state').dataset.state = state;
    element('state').textContent = state;
};
const every = new Lane('every');
const latest = new Lane('latest');
const queue = []; // of the lane `every`: what the page has been sent and has not drawn yet
let fresh = []; // of the lane `latest`: what the last flush brought

const eager = new LiveSocket('/live/ws', { onState: showState });
eager.subscribe('prices', { mode: 'every' }, {
    event: event => {
        every.count(event);
        queue.push(event);
    },
});
const thrifty = new LiveSocket('/live/ws');
thrifty.subscribe('prices', { mode: 'latest', credit: 1, snapshot: true }, {
    event: event => {
        latest.count(event);
        fresh.push(event);
    },
});

function drawOnce() {
    if (!element('asleep').checked) {
        if (queue.length > 0) every.draw(queue.shift());
        for (const event of fresh) latest.draw(event);
        if (fresh.length > 0) thrifty.giveCredit('prices', 1);
        fresh = [];
    }
    setTimeout(drawOnce, 1000 / Number(element('draws').value));
}

element('draws').oninput = () => {
    element('draws-text').textContent = element('draws').value;
};
drawOnce();
setInterval(() => {
    every.showFigures(queue.length);
    latest.showFigures(fresh.length);
}, 1000);
