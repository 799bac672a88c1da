// One client of each transport behind one interface, so that a test can be written once for all.
//
//   connect(url, { channels, cursor, snapshot })  gives a collector:
//     opened    resolves once the subscriptions stand: what is published later will come
//     next()    the next event {channel, offset, key, data | data64} or notice {gap, from, to, reason}
//     take(n)   the next n events; a notice among them is an error
//     drain()   what has come and was not taken
//     cursor    to resume after everything that has come so far
//     cut()     ends the connection; nothing comes any more
//     ended     resolves with the reason once the connection is over
// and is an async iterator of the same items.

import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { WebSocket } from 'ws';
import { readEventStream } from './event_stream.mjs';
import { Inbox } from './inbox.mjs';
import { deferred } from './wait.mjs';

/// The address of a transport's path with what it asks for in the query.
export function address(url, path, { channels = ['ticks'], cursor, snapshot, interval, ...others } = {}) {
    const query = new URLSearchParams({ channel: channels.join(','), ...others });
    if (cursor) query.set('cursor', cursor);
    if (snapshot) query.set('snapshot', '1');
    return `${url}/${path}?${query}`;
}

/// The event of a binary message: the envelope, a line feed, and the bytes; they stand in base64 here, as
/// elsewhere.
export function eventOfBytes(message) {
    const end = message.indexOf(0x0a);
    return { ...JSON.parse(message.subarray(0, end)), data64: message.subarray(end + 1).toString('base64') };
}

class Collector {
    inbox = new Inbox();
    isCut = false;
    cursor;
    #opened = deferred();
    #ended = deferred();

    constructor({ cursor }) {
        this.cursor = cursor;
    }

    get opened() {
        return this.#opened.promise;
    }
    get ended() {
        return this.#ended.promise;
    }

    open() {
        this.#opened.resolve(this);
    }

    end(reason) {
        this.#opened.reject(new Error(`not opened: ${reason}`));
        this.#ended.resolve(reason);
        this.inbox.end(reason);
    }

    cut() {
        this.isCut = true;
        this.hangUp();
        this.end('cut by the test');
    }

    next() {
        return this.inbox.next();
    }

    drain() {
        return this.inbox.drain();
    }

    async take(count) {
        const events = [];
        while (events.length < count) {
            const item = await this.next();
            assert.ok(item.offset, `an event, not ${JSON.stringify(item)}`);
            events.push(item);
        }
        return events;
    }

    async *[Symbol.asyncIterator]() {
        for (;;) yield await this.next();
    }
}

/// Fetch, which learns only by trying that a connection it kept was broken meanwhile.
async function steadyFetch(url, init) {
    for (let attempt = 1; ; ++attempt) {
        try {
            return await fetch(url, init);
        } catch (error) {
            if (attempt === 5 || init.signal.aborted) throw error;
        }
    }
}

/// The WebSocket of npm's `ws`, with the subscriptions in the query.
class WebSocketCollector extends Collector {
    #reached = new Map();
    #epochs = new Map();
    #socket;

    constructor(url, options) {
        super(options);
        const channels = options.channels ?? ['ticks'];
        this.#socket = new WebSocket(address(url.replace('http', 'ws'), 'ws', options));
        this.#socket.on('message', (data, isBinary) =>
            this.isCut || this.#take(isBinary ? eventOfBytes(data) : JSON.parse(data), channels));
        this.#socket.on('error', (error) => this.end(error.message));
        this.#socket.on('close', (code, reason) => this.end(`closed with ${code} ${reason}`));
    }

    #take(message, channels) {
        if (message.subscribed !== undefined) {
            const [epoch] = message.cursor.split('-');
            this.#epochs.set(message.subscribed, epoch);
            this.#reach(message.subscribed, message.cursor.split('-')[1]);
            if (this.#epochs.size === channels.length) this.open();
            return;
        }
        if (message.channel !== undefined) this.#reach(message.channel, message.offset);
        if (message.gap !== undefined) this.#reach(message.gap, message.to);
        this.inbox.push(message);
    }

    #reach(channel, offset) {
        this.#reached.set(channel, `${this.#epochs.get(channel)}-${offset}`);
        const all = [...this.#reached];
        this.cursor = all.length === 1 ? all[0][1] : all.map(([name, at]) => `${name}~${at}`).join('!');
    }

    hangUp() {
        this.#socket.terminate();
    }
}

/// The EventSource of npm, whose own reconnection is not used here.
class EventSourceCollector extends Collector {
    #source;

    constructor(url, options) {
        super(options);
        this.#source = new EventSource(address(url, 'sse', options), { fetch: steadyFetch });
        this.#source.onopen = () => this.open();
        this.#source.onmessage = ({ data, lastEventId }) => {
            if (this.isCut) return;
            if (lastEventId) this.cursor = lastEventId;
            this.inbox.push(JSON.parse(data));
        };
        this.#source.onerror = ({ message, code }) => {
            this.#source.close();
            this.end(`${code ?? ''} ${message ?? 'end of the stream'}`);
        };
    }

    hangUp() {
        this.#source.close();
    }
}

/// What fetches in turn or in one piece, and is stopped by a signal.
class FetchCollector extends Collector {
    #stopping = new AbortController();

    constructor(options) {
        super(options);
        this.signal = this.#stopping.signal;
    }

    /// Runs until it throws or returns, and then is over.
    run(reading) {
        reading().then(
            () => this.end('the server ended it'),
            (error) => this.end(error.cause?.message ?? error.message),
        );
    }

    hangUp() {
        this.#stopping.abort();
    }
}

/// An event stream through fetch, with the cursor in Last-Event-ID.
class StreamCollector extends FetchCollector {
    constructor(url, { cursor, ...options }) {
        super({ cursor });
        this.run(async () => {
            const headers = cursor ? { 'Last-Event-ID': cursor } : {};
            const response = await steadyFetch(address(url, 'sse', options), { headers, signal: this.signal });
            if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
            this.open();
            for await (const { data, id } of readEventStream(response.body)) {
                if (this.isCut) return;
                if (id) this.cursor = id;
                if (data !== null) this.inbox.push(JSON.parse(data));
            }
        });
    }
}

/// Polls with fetch, one after the other.
/// @param wait  seconds that the server may keep a request; with 0 there is a pause of `interval` ms
///              after an answer without events
class PollCollector extends FetchCollector {
    constructor(url, { interval = 10, ...options }, wait) {
        super(options);
        let request = { ...options, wait };
        // Without a cursor a client first asks for one: of the state, or of now.
        if (!options.cursor) request = { ...request, wait: 0, ...(options.snapshot ? {} : { cursor: 'now' }) };
        else this.open();
        this.run(async () => {
            for (;;) {
                const tag = request.wait === 0 && this.cursor ? { 'If-None-Match': `"${this.cursor}"` } : {};
                const response = await steadyFetch(address(url, 'poll', request), { headers: tag, signal: this.signal });
                if (response.status !== 200 && response.status !== 304)
                    throw new Error(`${response.status} ${await response.text()}`);
                const answer = response.status === 200 ? await response.json() : { cursor: this.cursor, events: [] };
                if (this.isCut) return;
                this.cursor = answer.cursor;
                this.inbox.push(...(answer.gaps ?? []), ...answer.events);
                this.open();
                request = { ...options, snapshot: false, cursor: this.cursor, wait };
                if (wait === 0 && answer.events.length === 0)
                    await new Promise((resolve) => setTimeout(resolve, interval));
            }
        });
    }
}

export const transports = {
    'WebSocket of ws': (url, options = {}) => new WebSocketCollector(url, options),
    'EventSource of eventsource': (url, options = {}) => new EventSourceCollector(url, options),
    'event stream of fetch': (url, options = {}) => new StreamCollector(url, options),
    'long-poll of fetch': (url, options = {}) => new PollCollector(url, options, 25),
    'short-poll of fetch': (url, options = {}) => new PollCollector(url, options, 0),
};
