// Publishing into an open hub.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { deferred, within } from './wait.mjs';

/// One publish over HTTP. @param type  JSON if the body is no text or bytes
export async function post(url, channel, body, { key, type } = {}) {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const query = new URLSearchParams({ channel, ...(key === undefined ? {} : { key }) });
    const response = await fetch(`${url}/publish?${query}`, {
        method: 'POST',
        headers: { 'Content-Type': type ?? (isRaw ? 'text/plain' : 'application/json') },
        body: isRaw ? body : JSON.stringify(body),
    });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
}

/// A publisher that keeps one WebSocket connection, for many events.
export async function startPublisher(url) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
    const replies = new Map();
    let lastId = 0;
    let isStopped = false;
    socket.on('message', (text) => {
        const reply = JSON.parse(text);
        const waiting = replies.get(reply.id);
        replies.delete(reply.id);
        if (reply.error) waiting.reject(new Error(reply.error.message));
        else waiting.resolve(reply);
    });
    await within(once(socket, 'open'), 'connection of the publisher');

    const publish = (channel, data, { key } = {}) => {
        const id = ++lastId;
        const reply = deferred();
        replies.set(id, reply);
        if (data instanceof Uint8Array)
            socket.send(Buffer.concat([Buffer.from(`${JSON.stringify({ publish: channel, id, key })}\n`), data]));
        else socket.send(JSON.stringify({ publish: channel, id, key, data }));
        return within(reply.promise, `reply to publish ${id}`);
    };
    return {
        publish,

        /// Publishes {n: first} … {n: last} in that order and at once.
        async burst(channel, first, last, padding = '') {
            const replies = [];
            for (let n = first; n <= last; ++n) replies.push(publish(channel, padding ? { n, padding } : { n }));
            return await Promise.all(replies);
        },

        /// Publishes {n: 1}, {n: 2} … a few at a time until `stop`; gives how many there were.
        async run(channel, { atATime = 3, count = 100_000 } = {}) {
            let n = 0;
            isStopped = false;
            while (!isStopped && n < count) {
                const last = Math.min(n + atATime, count);
                await this.burst(channel, n + 1, last);
                n = last;
            }
            return n;
        },
        stop() {
            isStopped = true;
        },
        close: () => socket.terminate(),
    };
}
