// A room: its newest messages by a history query, then live from exactly there; who is here by a
// presence query, then the joins and leaves of the companion channel.

import { LiveSocket } from '/support/live_socket.js';

const element = id => document.getElementById(id);
let live = null;
let name = '';
let channel = '';
let oldest = 0; // offset of the oldest message shown
const members = new Set();

element('door').onsubmit = event => {
    event.preventDefault();
    name = element('name').value;
    channel = `chat.${element('room').value}`;
    element('door').hidden = true;
    document.querySelector('main').hidden = false;
    live = new LiveSocket(`/live/ws?name=${encodeURIComponent(name)}`, { onState: showState });
    enter();
};

element('say').onsubmit = async event => {
    event.preventDefault();
    const text = element('text').value;
    element('text').value = '';
    const mine = show({ data: { from: name, text } });
    mine.className = 'pending';
    try {
        await live.command({ publish: channel, data: { from: name, text } });
        mine.remove(); // it comes back as an event, in its place among the others
    } catch (error) {
        mine.textContent = `not sent: ${error.message}`;
    }
};

element('older').onclick = showOlder;

element('cut').onclick = () => live?.cut();

function enter() {
    // The room exists once somebody has subscribed to it, so that comes first. The reply says where
    // live messages begin: what is before that place is history, so none is shown twice.
    live.subscribe(channel, { cursor: 'now' }, {
        subscribed: ({ cursor }) => {
            if (oldest === 0) showPast(Number(cursor.slice(cursor.lastIndexOf('-') + 1)));
        },
        event: show,
        gap: ({ from, to }) => notice(`messages ${from} to ${to} are no longer kept`),
    });
    live.subscribe(`@presence/${channel}`, { cursor: 'now' }, {
        event: ({ data }) => {
            if (data.join !== undefined) members.add(data.join);
            else members.delete(data.leave);
            showMembers();
        },
    });
}

async function showPast(last) {
    oldest = last + 1;
    await showOlder();
    const present = await live.command({ presence: channel });
    for (const { id } of present.members) members.add(id);
    showMembers();
}

async function showOlder() {
    if (oldest > 1) {
        const { events, first } = await live.command({
            history: channel, to: oldest - 1, limit: 20, reverse: true,
        });
        for (const event of events) {
            element('messages').prepend(line(event));
            oldest = event.offset;
        }
        if (first < oldest) return;
    }
    element('older').disabled = true;
}

function line({ data }) {
    const item = document.createElement('li');
    const who = document.createElement('b');
    who.textContent = data.from;
    item.append(who, data.text);
    return item;
}

function show(event) {
    const item = line(event);
    element('messages').append(item);
    item.scrollIntoView({ block: 'nearest' });
    return item;
}

function notice(text) {
    const item = document.createElement('li');
    item.className = 'notice';
    item.textContent = text;
    element('messages').append(item);
}

function showMembers() {
    element('count').textContent = members.size;
    element('members').replaceChildren(...[...members].sort().map(each => {
        const item = document.createElement('li');
        item.textContent = each;
        return item;
    }));
}

function showState(state) {
    element('state').dataset.state = state;
    element('state').textContent = state;
}
