// The four lanes side by side: which feed they read, cutting all of them, and resting while nobody
// looks.

import { Lane } from './lane.js';
import { LaneView } from './lane_view.js';
import {
    EventStreamTransport,
    LongPollTransport,
    ShortPollTransport,
    WebSocketTransport,
} from './transports.js';

// A browser opens at most six HTTP/1.1 connections to a host, for all its tabs together. These take
// three, WebSockets not counting; resting in hidden tabs keeps the others usable.
const transports = {
    websocket: WebSocketTransport,
    sse: EventStreamTransport,
    longpoll: LongPollTransport,
    shortpoll: ShortPollTransport,
};

const restMillisecondsMax = 60_000;

export class Comparison {
    #container;
    #clock;
    #feed;
    #lanes = [];
    #views = [];
    #channel;
    #hiddenAt = 0;
    #resting = [];

    /** @param feed  the page's own connection, by which a cut lane is known to be behind */
    constructor(container, clock, feed) {
        this.#container = container;
        this.#clock = clock;
        this.#feed = feed;
        document.addEventListener('visibilitychange', () =>
            document.hidden ? this.#rest() : this.#wake(),
        );
    }

    /** Compares the transports on a channel, from now on. */
    start(channel) {
        for (const lane of this.#lanes) lane.cut();
        this.#channel = channel;
        const requestBytes = (target, fields) => this.#requestBytes(target, fields);
        const names = Object.keys(transports);
        this.#lanes = names.map(
            (name) =>
                new Lane(
                    (listener) => new transports[name](channel, listener, requestBytes),
                    this.#clock,
                ),
        );
        this.#views = names.map(
            (name, i) =>
                new LaneView(name, transports[name], this.#lanes[i], () =>
                    this.#feed.offset(channel),
                ),
        );
        this.#container.replaceChildren(...this.#views.map((view) => view.root));
        for (const lane of this.#lanes) lane.open();
    }

    get isCut() {
        return this.#views.every((view) => view.isCut);
    }

    toggleAll() {
        const isCut = this.isCut;
        for (const view of this.#views) if (view.isCut === isCut) view.toggle();
    }

    render() {
        for (const view of this.#views) view.render();
    }

    draw(now) {
        for (const view of this.#views) view.draw(now);
    }

    /** What the server weighed for its `about`, with another address and further fields. */
    #requestBytes(target, fields) {
        let size = this.#clock.about.request_bytes + target.length - 'about'.length;
        for (const [name, value] of Object.entries(fields)) size += `${name}: ${value}\r\n`.length;
        return size;
    }

    #rest() {
        this.#hiddenAt = performance.now();
        this.#resting = this.#lanes.filter((lane) => lane.state !== 'cut');
        for (const lane of this.#resting) lane.cut();
    }

    #wake() {
        const resting = this.#resting;
        this.#resting = [];
        if (performance.now() - this.#hiddenAt > restMillisecondsMax) this.start(this.#channel);
        else for (const lane of resting) lane.resume();
    }
}
