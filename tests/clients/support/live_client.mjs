// A WebSocket client that speaks the whole protocol: commands with their replies, and an inbox of all
// else. Bytes stand in `data64`, as on the other transports.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { eventOfBytes } from './collectors.mjs';
import { Inbox } from './inbox.mjs';
import { deferred, within } from './wait.mjs';

export class LiveClient {
    inbox = new Inbox();
    #replies = new Map();
    #lastId = 0;
    #receivedCount = 0;

    /// @param query  of the path, such as '?name=ann'
    static async connect(url, query = '') {
        const client = new LiveClient();
        client.socket = new WebSocket(`${url.replace('http', 'ws')}/ws${query}`, 'livetape.v1.json');
        client.socket.on('message', (data, isBinary) => client.#take(isBinary ? eventOfBytes(data) : JSON.parse(data), isBinary));
        client.socket.on('close', (code, reason) => client.inbox.end(`${code} ${reason}`));
        await within(once(client.socket, 'open'), 'open WebSocket');
        return client;
    }

    #take(message, isBinary) {
        const waiting = this.#replies.get(message.id);
        this.#replies.delete(message.id);
        if (waiting) return waiting.resolve({ ...message, place: this.#receivedCount });
        ++this.#receivedCount;
        this.inbox.push(isBinary ? { ...message, isBinary } : message);
    }

    /// Sends a command and gives its reply, which remembers its place in the stream.
    tell(command, bytes) {
        const id = ++this.#lastId;
        const reply = deferred();
        this.#replies.set(id, reply);
        const text = JSON.stringify({ ...command, id });
        this.socket.send(bytes ? Buffer.concat([Buffer.from(`${text}\n`), bytes]) : text);
        return within(reply.promise, `reply to ${text.slice(0, 100)}`);
    }

    async next() {
        return await this.inbox.next();
    }

    async take(count) {
        const items = [];
        while (items.length < count) items.push(await this.inbox.next());
        return items;
    }

    /// What came before a reply and was not taken yet.
    takeBefore({ place }) {
        return this.take(place - (this.#receivedCount - this.inbox.size));
    }

    /// Takes events until those that they stand for come to `published`.
    async takeFor(published) {
        const events = [];
        for (let sum = 0; sum < published; sum += events.at(-1).count ?? 1) events.push(await this.next());
        return events;
    }

    cut() {
        this.socket.terminate();
    }
}
