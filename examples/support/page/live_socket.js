// A connection to a livetape server that comes back by itself: what a page needs around the
// browser's WebSocket, and nothing else.
//
//   const live = new LiveSocket('/live/ws');
//   live.subscribe('quotes', { mode: 'latest', rate: 10, snapshot: true }, {
//       event: e => show(e.key, e.data, e.count ?? 1),
//   });
//   live.subscribe('sensor.*', {}, { event: e => plot(e.channel, e.data) });
//   const reply = await live.command({ publish: 'chat.lobby', data: { text: 'hello' } });
//
// After a cut it connects again after a random and growing delay and subscribes with the cursors
// that it has reached, so that nothing is lost and nothing comes twice; what the server no longer
// has is told as a gap. An event with a binary payload has `bytes`, a Uint8Array, instead of `data`.

const firstDelay = 250; // milliseconds
const longestDelay = 10_000;

/** Whether a channel's name is covered by another name or a pattern ('*' a token, '>' the rest). */
function covers(name, channel) {
    const [wanted, tokens] = [name.split('.'), channel.split('.')];
    if (wanted.at(-1) === '>' ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
    if ('*>'.includes(wanted[0]) && channel.startsWith('@')) return false;
    return wanted.every((token, i) => token === '>' || token === '*' || token === tokens[i]);
}

const isPattern = name => /(^|\.)[*>](\.|$)/.test(name);

export class LiveSocket {
    #url;
    #socket = null;
    #subscriptions = new Map(); // by what was subscribed to: a channel or a pattern
    #opening = new Map(); // subscriptions without a reply yet: id to name
    #waiting = new Map(); // commands without a reply yet, by id
    #reached = new Map(); // channel to the cursor behind its last event
    #nextId = 1;
    #delay = firstDelay;
    #isClosed = false;
    #onState;
    #onError;

    /**
     * @param path     such as '/live/ws?name=ann'
     * @param onState  told 'connecting', 'live', 'lost' and at last 'closed'
     * @param onError  told what the server refuses that no promise and no handler waits for
     */
    constructor(path, { onState = () => {}, onError = console.warn } = {}) {
        this.#url = new URL(path, location.href);
        this.#url.protocol = this.#url.protocol.replace('http', 'ws');
        this.#onState = onState;
        this.#onError = onError;
        this.#connect();
    }

    /**
     * @param name      of a channel, or a pattern
     * @param options   mode, rate or interval, keys, credit, snapshot, cursor: those of the protocol
     * @param handlers  event(event), gap(notice), subscribed(reply) for each channel and each new
     *                  connection, failed(error) if it is refused and so ended
     */
    subscribe(name, options, handlers) {
        this.#subscriptions.set(name, { options: { ...options }, handlers });
        if (this.isOpen) this.#subscribe(name);
    }

    unsubscribe(name) {
        if (!this.#subscriptions.delete(name)) return;
        for (const channel of [...this.#reached.keys()])
            if (this.#holdersOf(channel).length === 0) this.#reached.delete(channel);
        if (this.isOpen) this.#send({ unsubscribe: name });
    }

    /** Changes mode, rate or keys of a subscription, now and for the connections to come. */
    change(name, { add_keys = [], remove_keys = [], ...others }) {
        const { options } = this.#subscriptions.get(name);
        Object.assign(options, others);
        const moves = add_keys.length + remove_keys.length > 0;
        if (moves) {
            const keys = new Set(options.keys);
            for (const key of remove_keys) keys.delete(key);
            for (const key of add_keys) keys.add(key);
            options.keys = [...keys];
        }
        if (this.isOpen) this.#send({ change: name, ...others, ...(moves && { add_keys, remove_keys }) });
    }

    /** Lets the server flush a subscription so many more times. */
    giveCredit(name, flushes) {
        if (this.isOpen) this.#send({ credit: name, flushes });
    }

    /**
     * Sends a publish or a question (history, presence, stats) and resolves with its reply. Without
     * a connection it waits for one, and is sent again if the connection ends before the reply: a
     * publish gets a message_id, so that it is published once.
     */
    command(message) {
        const id = this.#nextId++;
        const sent = { ...message, id };
        if ('publish' in message) sent.message_id ??= randomId();
        return new Promise((resolve, reject) => {
            if (this.#isClosed) return reject(new Error('the connection was closed'));
            this.#waiting.set(id, { sent, resolve, reject });
            if (this.isOpen) this.#send(sent);
        });
    }

    get isOpen() {
        return this.#socket?.readyState === WebSocket.OPEN;
    }

    /** Breaks the connection, as a network does; it comes back by itself. */
    cut() {
        this.#socket?.close();
    }

    /** Ends it for good; commands without a reply fail. */
    close() {
        this.#isClosed = true;
        this.#subscriptions.clear();
        this.#reached.clear();
        for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'));
        this.#waiting.clear();
        this.#socket?.close();
    }

    #connect() {
        if (this.#isClosed) return;
        this.#onState('connecting');
        const socket = new WebSocket(this.#url, 'livetape.v1.json');
        socket.binaryType = 'arraybuffer';
        this.#socket = socket;
        socket.onopen = () => {
            this.#onState('live');
            this.#opening.clear();
            for (const name of this.#subscriptions.keys()) this.#subscribe(name);
            for (const { sent } of this.#waiting.values()) this.#send(sent);
        };
        socket.onmessage = ({ data }) => {
            this.#delay = firstDelay; // it works, and not only so far as to let us in
            this.#take(data);
        };
        socket.onclose = () => {
            this.#onState(this.#isClosed ? 'closed' : 'lost');
            if (this.#isClosed) return;
            setTimeout(() => this.#connect(), this.#delay * (0.5 + Math.random()));
            this.#delay = Math.min(this.#delay * 2, longestDelay);
        };
    }

    #send(message) {
        this.#socket.send(JSON.stringify(message));
    }

    #subscribe(name) {
        const { options, seenNothing } = this.#subscriptions.get(name);
        const reached = [...this.#reached].filter(([channel]) => covers(name, channel));
        const cursor = reached.map(([channel, at]) => `${channel}~${at}`).join('!') || seenNothing;
        const id = this.#nextId++;
        this.#opening.set(id, name);
        this.#send({ subscribe: name, id, ...options, ...(cursor && { cursor }) });
    }

    #take(data) {
        if (typeof data === 'string') return this.#obey(JSON.parse(data));
        const bytes = new Uint8Array(data);
        const end = bytes.indexOf(0x0a); // the envelope ends with the first line feed
        const envelope = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
        this.#deliver({ ...envelope, bytes: bytes.subarray(end + 1) });
    }

    #obey(message) {
        if ('channel' in message) return this.#deliver(message);
        if ('subscribed' in message) return this.#begin(message);
        if ('gap' in message) {
            for (const { handlers } of this.#holdersOf(message.gap)) handlers.gap?.(message);
            return;
        }
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (!message.error) return waiting?.resolve(message);
        const error = Object.assign(new Error(message.error.message), message.error);
        if (waiting) return waiting.reject(error);
        const name = this.#opening.get(message.id);
        const refused = this.#subscriptions.get(name);
        this.#subscriptions.delete(name);
        (refused?.handlers.failed ?? this.#onError)(error);
    }

    #begin(message) {
        const { subscribed: channel, pattern = channel, cursor } = message;
        this.#opening.delete(message.id);
        const subscription = this.#subscriptions.get(pattern);
        if (!subscription) return;
        // A pattern has no place of its own, only its channels have; one that covers nothing yet
        // has seen nothing of what will come.
        if (isPattern(channel)) return void (subscription.seenNothing = cursor === 'oldest' ? cursor : undefined);
        this.#reached.set(channel, cursor);
        subscription.handlers.subscribed?.(message);
    }

    #deliver(event) {
        const cursor = this.#reached.get(event.channel);
        if (!cursor) return; // it was on its way when we left
        const dash = cursor.lastIndexOf('-');
        // A key that is added brings an event that may be older than what was seen.
        const offset = Math.max(event.offset, Number(cursor.slice(dash + 1)));
        this.#reached.set(event.channel, `${cursor.slice(0, dash)}-${offset}`);
        for (const { handlers } of this.#holdersOf(event.channel)) handlers.event?.(event);
    }

    #holdersOf(channel) {
        return [...this.#subscriptions].filter(([name]) => covers(name, channel)).map(([, each]) => each);
    }
}

/** 128 bits at random; crypto.randomUUID is there on secure pages only. */
function randomId() {
    return [...crypto.getRandomValues(new Uint32Array(4))].map(word => word.toString(36)).join('');
}
