// A connection to a livetape server that comes back by itself: what a page needs around the
// browser's WebSocket, and nothing else.
//
//   const live = new LiveSocket('/live/ws');
//   live.subscribe('quotes', { mode: 'latest', rate: 10, snapshot: true }, {
//       event: e => show(e.key, e.data, e.count ?? 1),
//   });
//   const reply = await live.command({ publish: 'chat.lobby', data: { text: 'hello' } });
//
// After a cut it connects again after a random and growing delay and subscribes with the cursors
// that it has reached, so that nothing is lost and nothing comes twice. An event with a binary
// payload has `bytes`, a Uint8Array, instead of `data`.

const firstDelay = 250;
const longestDelay = 10_000;

export class LiveSocket {
    #url;
    #socket = null;
    #subscriptions = new Map(); // by what was subscribed to: a channel or a pattern
    #waiting = new Map(); // commands without a reply yet, by id
    #nextId = 1;
    #delay = firstDelay;
    #onState;

    constructor(path, { onState = () => {} } = {}) {
        this.#url = new URL(path, location.href);
        this.#url.protocol = this.#url.protocol.replace('http', 'ws');
        this.#onState = onState;
        this.#connect();
    }

    // options: mode, rate, keys, credit, snapshot, cursor. handlers: event, gap, subscribed, failed.
    subscribe(name, options, handlers) {
        const subscription = { options: { ...options }, handlers, cursors: new Map() };
        this.#subscriptions.set(name, subscription);
        if (this.isOpen) this.#subscribe(name, subscription);
    }

    unsubscribe(name) {
        this.#subscriptions.delete(name);
        if (this.isOpen) this.#send({ unsubscribe: name });
    }

    // Changes mode, rate or keys of a subscription, and keeps the change for the next connection.
    change(name, changes) {
        const { options } = this.#subscriptions.get(name);
        const { add_keys = [], remove_keys = [], ...others } = changes;
        Object.assign(options, others);
        if (add_keys.length + remove_keys.length > 0) {
            const keys = new Set(options.keys);
            for (const key of add_keys) keys.add(key);
            for (const key of remove_keys) keys.delete(key);
            options.keys = [...keys];
        }
        if (this.isOpen) this.#send({ change: name, ...changes });
    }

    // Lets the server flush a subscription so many more times.
    giveCredit(name, flushes) {
        if (this.isOpen) this.#send({ credit: name, flushes });
    }

    // Sends a command and resolves with its reply. A publish gets an id of its own, so that it is
    // sent again after a cut without being published twice.
    command(message) {
        const id = this.#nextId++;
        const sent = { ...message, id };
        if ('publish' in message) sent.message_id ??= crypto.randomUUID();
        return new Promise((resolve, reject) => {
            this.#waiting.set(id, { sent, resolve, reject });
            if (this.isOpen) this.#send(sent);
        });
    }

    get isOpen() {
        return this.#socket?.readyState === WebSocket.OPEN;
    }

    // Breaks the connection, as a network does; it comes back by itself.
    cut() {
        this.#socket?.close();
    }

    #connect() {
        this.#onState('connecting');
        const socket = new WebSocket(this.#url, 'livetape.v1.json');
        socket.binaryType = 'arraybuffer';
        this.#socket = socket;
        socket.onopen = () => {
            this.#delay = firstDelay;
            this.#onState('live');
            for (const [name, subscription] of this.#subscriptions)
                this.#subscribe(name, subscription);
            for (const { sent } of this.#waiting.values()) this.#send(sent);
        };
        socket.onmessage = ({ data }) => this.#take(data);
        socket.onclose = () => {
            this.#onState('lost');
            setTimeout(() => this.#connect(), this.#delay * (0.5 + Math.random()));
            this.#delay = Math.min(this.#delay * 2, longestDelay);
        };
    }

    #send(message) {
        this.#socket.send(JSON.stringify(message));
    }

    #subscribe(name, { options, cursors }) {
        const reached = [...cursors].map(([channel, at]) => `${channel}~${at}`).join('!');
        this.#send({ subscribe: name, ...options, ...(reached && { cursor: reached }) });
    }

    #take(data) {
        if (typeof data === 'string') return this.#obey(JSON.parse(data));
        const bytes = new Uint8Array(data);
        const end = bytes.indexOf(0x0a); // the envelope ends with the first line feed
        const envelope = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
        this.#obey({ ...envelope, bytes: bytes.subarray(end + 1) });
    }

    #obey(message) {
        if ('channel' in message) return this.#deliver(message);
        if ('subscribed' in message) return this.#begin(message);
        if ('gap' in message) {
            for (const { handlers } of this.#holdersOf(message.gap)) handlers.gap?.(message);
            return;
        }
        const waiting = this.#waiting.get(message.id);
        if (!waiting) return;
        this.#waiting.delete(message.id);
        if (message.error) waiting.reject(Object.assign(new Error(message.error.message), message));
        else waiting.resolve(message);
    }

    #begin(message) {
        const name = message.pattern ?? message.subscribed;
        const subscription = this.#subscriptions.get(name);
        if (!subscription || message.cursor === undefined) return;
        subscription.cursors.set(message.subscribed, message.cursor);
        subscription.handlers.subscribed?.(message);
    }

    #deliver(event) {
        for (const { handlers, cursors } of this.#holdersOf(event.channel)) {
            const epoch = cursors.get(event.channel).replace(/-\d+$/, '');
            cursors.set(event.channel, `${epoch}-${event.offset}`);
            handlers.event?.(event);
        }
    }

    #holdersOf(channel) {
        return [...this.#subscriptions.values()].filter(each => each.cursors.has(channel));
    }
}
