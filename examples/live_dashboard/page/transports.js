// One channel over each of the four transports, with nothing but what every browser has. All four
// have the same two calls, `open(cursor)` and `close()`, and tell a listener:
//
//   opened()                    the connection stands
//   waiting()                   it broke, and the browser is about to mend it
//   requested(bytes)            a request was sent and answered, heads and body weighing so much
//   delivered(events, bytes)    events came, weighing so much besides what `requested` counted
//   reached(cursor)             where to continue after a cut
//   missed(gap)                 the server no longer has some events
//   lost()                      the connection ended, and nobody asked for it

const encoder = new TextEncoder();
const utf8Bytes = (text) => encoder.encode(text).length;
const query = (channel, parameters) => new URLSearchParams({ channel, ...parameters });

/** `new WebSocket` and an URL that names the channel: a complete client. */
export class WebSocketTransport {
    static title = 'WebSocket';
    static how = 'The server pushes';

    #socket = null;
    #epoch = '';

    constructor(channel, listener) {
        this.channel = channel;
        this.listener = listener;
    }

    open(cursor) {
        const url = new URL(`live/ws?${query(this.channel, { cursor })}`, location.href);
        url.protocol = url.protocol.replace('http', 'ws');
        const socket = new WebSocket(url);
        this.#socket = socket;
        socket.onopen = () => this.listener.requested(0);
        socket.onmessage = (message) => this.#read(message.data);
        socket.onclose = () => this.listener.lost();
    }

    close() {
        if (!this.#socket) return;
        this.#socket.onmessage = this.#socket.onclose = this.#socket.onopen = null;
        this.#socket.close();
        this.#socket = null;
    }

    #read(text) {
        const message = JSON.parse(text);
        if (message.offset) {
            const payloadBytes = utf8Bytes(text);
            const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
            this.listener.delivered([message], payloadBytes + headerBytes);
            this.listener.reached(`${this.#epoch}-${message.offset}`);
        } else if (message.subscribed) {
            // A cursor is the epoch and the offset of the last event; events name only the latter.
            this.#epoch = message.cursor.split('-')[0];
            this.listener.reached(message.cursor);
            this.listener.opened();
        } else if (message.gap) {
            this.listener.missed(message);
        } else if (message.error) {
            console.warn('WebSocket:', message.error.message);
        }
    }
}

/** EventSource comes back by itself and then names the last event that it had. */
export class EventStreamTransport {
    static title = 'SSE';
    static how = 'One endless answer';

    #source = null;

    constructor(channel, listener) {
        this.channel = channel;
        this.listener = listener;
    }

    open(cursor) {
        const source = new EventSource(`live/sse?${query(this.channel, { cursor })}`);
        this.#source = source;
        source.onopen = () => {
            this.listener.requested(0);
            this.listener.opened();
        };
        source.onmessage = (block) => this.#read(block);
        source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) this.listener.lost();
            else this.listener.waiting();
        };
    }

    close() {
        this.#source?.close();
        this.#source = null;
    }

    #read(block) {
        const message = JSON.parse(block.data);
        if (message.gap) return this.listener.missed(message);
        const bytes = utf8Bytes(`id: ${block.lastEventId}\ndata: ${block.data}\n\n`);
        this.listener.delivered([message], bytes);
        this.listener.reached(block.lastEventId);
    }
}

/** What the two kinds of polling share: one request with a cursor, one answer with the next one. */
class PollTransport {
    #abort = null;
    #cursor = 'now';

    /** @param requestBytes  gives the bytes of a request's head for a target and further fields */
    constructor(channel, listener, requestBytes) {
        this.channel = channel;
        this.listener = listener;
        this.requestBytes = requestBytes;
    }

    open(cursor) {
        this.#cursor = cursor;
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        this.run(signal).catch(() => signal.aborted || this.listener.lost());
    }

    close() {
        this.#abort?.abort();
        this.#abort = null;
    }

    async poll(waitSeconds, signal) {
        const parameters = query(this.channel, { cursor: this.#cursor, wait: waitSeconds });
        const target = `live/poll?${parameters}`;
        const fields = { 'If-None-Match': `'${this.#cursor}'` };
        const response = await fetch(target, { signal, cache: 'no-store', headers: fields });
        const text = await response.text();
        if (signal.aborted) return;

        let head = 'HTTP/1.1 200 OK\r\n\r\n'.length;
        for (const [name, value] of response.headers) head += `${name}: ${value}\r\n`.length;
        this.listener.requested(this.requestBytes(target, fields) + head + utf8Bytes(text));
        this.listener.opened();
        if (response.status === 304) return; // nothing new
        if (!response.ok) throw new Error(text);

        const answer = JSON.parse(text);
        for (const gap of answer.gaps ?? []) this.listener.missed(gap);
        this.listener.delivered(answer.events, 0);
        this.#cursor = answer.cursor;
        this.listener.reached(answer.cursor);
    }
}

export class LongPollTransport extends PollTransport {
    static title = 'Long-poll';
    static how = 'Asks after each answer';

    async run(signal) {
        await this.poll(0, signal); // at once, to learn where the channel is
        while (!signal.aborted) await this.poll(25, signal);
    }
}

export class ShortPollTransport extends PollTransport {
    static title = 'Short-poll';
    static how = 'Asks every second';

    async run(signal) {
        const interval = 1000;
        for (let due = performance.now(); !signal.aborted; due += interval) {
            await this.poll(0, signal);
            const wait = Math.max(0, due + interval - performance.now());
            await new Promise((resolve) => setTimeout(resolve, wait));
        }
    }
}
