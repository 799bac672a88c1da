// A room: its newest messages by a history query, then live from exactly there; who is here by a
// presence query, then the joins and leaves of the companion channel from exactly there.

import { LiveSocket } from '/support/live_socket.js';

const element = id => document.getElementById(id);
let live = null;
let name = '';
let channel = '';
let oldest = 0; // offset of the oldest message shown; 0 before there is one
const members = new Set();

element('door').onsubmit = event => {
    event.preventDefault();
    name = element('name').value;
    channel = `chat.${element('room').value}`;
    element('title').textContent = element('room').value;
    element('outside').hidden = true;
    element('inside').hidden = false;
    live = new LiveSocket(`/live/ws?name=${encodeURIComponent(name)}`, { onState: showState });
    // The room exists once somebody has subscribed to it, so that comes first. The reply says where
    // live messages begin: what is before that place is history, so none is shown twice.
    live.subscribe(channel, { cursor: 'now' }, {
        subscribed: ({ cursor }) => {
            if (oldest === 0) showPast(Number(cursor.slice(cursor.lastIndexOf('-') + 1)));
        },
        event: show,
        gap: ({ reason, from, to }) => notice(reason === 'epoch'
            ? 'The server was started again: what was said before is gone.'
            : `Messages ${from} to ${to} are no longer kept.`),
        failed: ({ message }) => notice(message),
    });
    element('text').focus();
};

element('say').onsubmit = async event => {
    event.preventDefault();
    const text = element('text').value;
    element('text').value = '';
    const mine = show({ data: { from: name, text } });
    mine.classList.add('pending');
    try {
        await live.command({ publish: channel, data: { from: name, text } });
        mine.remove(); // it comes back as an event, in its place among the others
    } catch ({ message }) {
        mine.textContent = `Not sent: ${message}`;
    }
};

element('older').onclick = showOlder;
element('cut').onclick = () => live?.cut();

async function showPast(last) {
    oldest = last + 1;
    await showOlder();
    element('messages').lastElementChild?.scrollIntoView({ block: 'nearest' });
    const { cursor } = await askWhoIsHere();
    live.subscribe(`@presence/${channel}`, { cursor }, {
        event: ({ data }) => {
            if (data.join !== undefined) members.add(data.join);
            else members.delete(data.leave);
            showMembers();
        },
        gap: askWhoIsHere,
    });
}

async function askWhoIsHere() {
    const present = await live.command({ presence: channel });
    members.clear();
    for (const { id } of present.members) members.add(id);
    showMembers();
    return present;
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
        if (events.length > 0 && first < oldest) return;
    }
    element('older').hidden = true;
}

function line({ data }) {
    const { from = 'somebody', text = JSON.stringify(data) } = Object(data);
    const item = document.createElement('li');
    const who = document.createElement('b');
    who.textContent = from;
    item.classList.toggle('own', from === name);
    item.append(who, text);
    return item;
}

function append(item) {
    element('messages').append(item);
    item.scrollIntoView({ block: 'nearest' });
    return item;
}

const show = event => append(line(event));

function notice(text) {
    const item = document.createElement('li');
    item.className = 'notice';
    item.textContent = text;
    append(item);
}

function showMembers() {
    element('count').textContent = members.size;
    element('members').replaceChildren(...[...members].sort().map(each => {
        const item = document.createElement('li');
        item.textContent = each === name ? `${each} (you)` : each;
        return item;
    }));
}

function showState(state) {
    element('state').dataset.state = state;
    element('state').textContent = state;
}
