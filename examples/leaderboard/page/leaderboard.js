// The board is a keyed channel whose keys are the ranks: a snapshot, then the ranks that changed,
// four times a second at most. Whoever is chosen is followed by the channel of that player alone.

import { LiveSocket } from '/support/live_socket.js';

const element = id => document.getElementById(id);
const ranks = new Map(); // rank to { name, value }
let followed = null;

const live = new LiveSocket('/live/ws', {
    onState: state => {
        element('state').dataset.state = state;
        element('state').textContent = state;
    },
});
live.subscribe('board', { mode: 'latest', rate: 4, snapshot: true }, {
    event: ({ key, data }) => {
        ranks.set(Number(key), data);
        showBoard();
    },
});
live.subscribe('problems', {}, {
    event: ({ data }) => {
        element('problem').hidden = false;
        element('problem').textContent =
            `${data.problem} ${data.field ?? ''}, ${data.count} so far, such as ${data.example}`;
    },
});

function showBoard() {
    const best = ranks.get(1)?.value ?? 1;
    const list = element('board');
    for (let rank = 1; rank <= ranks.size; ++rank) {
        const holder = ranks.get(rank);
        const row = list.children[rank - 1] ?? list.appendChild(newRow(rank));
        row.hidden = !holder;
        if (!holder) continue;
        const [, name, points] = row.children;
        row.classList.toggle('new', points.dataset.value !== `${holder.value}`);
        row.dataset.name = name.textContent = holder.name;
        points.dataset.value = holder.value;
        points.textContent = holder.value.toLocaleString('en');
        row.style.setProperty('--share', holder.value / best);
        row.ariaSelected = holder.name === followed;
    }
}

function newRow(rank) {
    const row = document.createElement('li');
    row.role = 'option';
    row.tabIndex = 0;
    for (const part of ['rank', 'name', 'points']) {
        const cell = document.createElement('span');
        cell.className = part;
        row.append(cell);
    }
    row.firstChild.textContent = rank;
    row.onclick = () => follow(row.dataset.name);
    row.onkeydown = ({ key }) => key === 'Enter' && row.onclick();
    return row;
}

// A player's channel has what the session came to after each play, and once more when it is over.
function follow(name) {
    if (name === followed) return;
    if (followed !== null) live.unsubscribe(`player.${followed}`);
    followed = name;
    element('followed').textContent = name;
    element('hint').hidden = true;
    element('points').textContent = element('plays').textContent = '–';
    element('sessions').replaceChildren();
    open(name);
    showBoard();
}

function open(name) {
    live.subscribe(`player.${name}`, { cursor: 'oldest' }, {
        event: ({ data }) => (data.provisional ? showOpen(data) : showOver(data)),
        // The channel of who plays for the first time is there once that play was counted.
        failed: () => setTimeout(() => name === followed && open(name), 200),
    });
}

function showOpen({ value: [plays, points] }) {
    element('points').textContent = points.toLocaleString('en');
    element('plays').textContent = plays;
}

function showOver({ begin, end, value: [plays, points] }) {
    element('points').textContent = element('plays').textContent = '–';
    const row = element('sessions').insertRow(0);
    const number = element('sessions').rows.length;
    for (const text of [`#${number}`, `${((end - begin) / 1000).toFixed(1)} s`, plays, points.toLocaleString('en')]) {
        const cell = row.insertCell();
        cell.textContent = text;
        cell.className = row.cells.length > 1 ? 'number' : '';
    }
}

element('play').onsubmit = async event => {
    event.preventDefault();
    const player = element('player').value;
    await live.command({ publish: 'plays', data: { player, points: Number(event.submitter.value) } });
    follow(player);
};
