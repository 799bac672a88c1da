// Boards that come rank by rank as they change, one line of figures, and of all the posts as many as
// somebody can read: the newest one, three times a second.

import { LiveSocket } from '/support/live_socket.js';

const element = id => document.getElementById(id);
const shown = 60_000; // milliseconds of mood
const moods = []; // { time, mood }

const live = new LiveSocket('/live/ws', {
    onState: state => {
        element('state').dataset.state = state;
        element('state').textContent = state;
    },
});

for (const board of ['words', 'influencers']) {
    const ranks = new Map();
    live.subscribe(board, { mode: 'latest', rate: 4, snapshot: true }, {
        event: ({ key, data }) => {
            ranks.set(Number(key), data);
            showBoard(element(board), ranks);
        },
    });
}
live.subscribe('mood', { cursor: 'oldest' }, { // the last minute, then what comes
    event: ({ data }) => {
        element('count').textContent = data.posts.toLocaleString('en');
        element('authors').textContent = data.authors.toLocaleString('en');
        if (data.mood === null) return;
        element('mood').textContent = data.mood.toFixed(2).replace('-', '−');
        moods.push(data);
        while (moods[0].time < data.time - shown) moods.shift();
        drawCurve();
    },
});
live.subscribe('posts', { mode: 'latest', rate: 3, snapshot: true }, { event: ({ data }) => showPost(data) });

function showBoard(list, ranks) {
    const most = ranks.get(1)?.value ?? 1;
    for (let rank = 1; rank <= ranks.size; ++rank) {
        const row = list.children[rank - 1] ?? list.appendChild(newRow());
        const holder = ranks.get(rank);
        row.hidden = !holder;
        if (!holder) continue;
        row.children[0].textContent = holder.name;
        row.children[1].textContent = holder.value.toLocaleString('en', { maximumFractionDigits: 1 });
        row.style.setProperty('--share', holder.value / most);
    }
}

function newRow() {
    const row = document.createElement('li');
    for (const part of ['name', 'value']) {
        const cell = document.createElement('span');
        cell.className = part;
        row.append(cell);
    }
    return row;
}

function showPost({ author, text, mood }) {
    const item = document.createElement('li');
    item.className = mood > 0 ? 'glad' : mood < 0 ? 'sad' : '';
    const who = document.createElement('b');
    who.textContent = author;
    item.append(who, text);
    element('posts').prepend(item);
    while (element('posts').children.length > 12) element('posts').lastChild.remove();
}

function drawCurve() {
    const canvas = element('curve');
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    const paint = canvas.getContext('2d');
    paint.scale(devicePixelRatio, devicePixelRatio);
    const { color } = getComputedStyle(canvas);
    const end = moods.at(-1).time;
    const y = mood => height / 2 - mood * (height / 2 - 2);
    paint.strokeStyle = getComputedStyle(element('posts')).color;
    paint.globalAlpha = 0.25;
    paint.strokeRect(0, y(0), width, 0);
    paint.globalAlpha = 1;
    paint.strokeStyle = color;
    paint.lineWidth = 2;
    paint.beginPath();
    for (const { time, mood } of moods) paint.lineTo(width * (1 - (end - time) / shown), y(mood));
    paint.stroke();
}
