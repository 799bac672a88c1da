// The page's own connection: several channels over one WebSocket, with JSON commands. It comes back
// by itself and continues each channel where it was.

const retryMilliseconds = 1_000;

export class LiveFeed {
    /** Called with 'connecting', 'live' or 'lost'. */
    onstate = () => {};

    #channels = new Map();

    /**
     * Subscribes to a channel; call it before `open`.
     * @param start    the first subscription's options: { cursor, snapshot }
     * @param listener called with each event: { channel, offset, key, data }
     */
    subscribe(channel, start, listener) {
        this.#channels.set(channel, { start, listener, epoch: '', offset: 0 });
    }

    /** The newest offset of a channel that came here. */
    offset(channel) {
        return this.#channels.get(channel)?.offset ?? 0;
    }

    open() {
        this.onstate('connecting');
        const url = new URL('live/ws', location.href);
        url.protocol = url.protocol.replace('http', 'ws');
        const socket = new WebSocket(url);
        socket.onopen = () => {
            for (const [channel, { start, epoch, offset }] of this.#channels) {
                const from = epoch ? { cursor: `${epoch}-${offset}` } : start;
                socket.send(JSON.stringify({ subscribe: channel, ...from }));
            }
            this.onstate('live');
        };
        socket.onmessage = (message) => this.#read(JSON.parse(message.data));
        socket.onclose = () => {
            this.onstate('lost');
            setTimeout(() => this.open(), retryMilliseconds);
        };
    }

    #read(message) {
        const channel = this.#channels.get(message.channel ?? message.subscribed);
        if (message.offset && channel) {
            channel.offset = message.offset;
            channel.listener(message);
        } else if (message.subscribed && channel) {
            const [epoch, offset] = message.cursor.split('-');
            channel.epoch = epoch;
            channel.offset = Number(offset);
        } else if (message.error) {
            console.warn('livetape:', message.error.message);
        }
    }
}
