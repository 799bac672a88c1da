// One of the four subscriptions that are compared: a transport, its books and its measurements.

import { DeliveryLedger } from './delivery_ledger.js';
import { SlidingWindow, spread } from './sliding_window.js';

const windowMilliseconds = 10_000;
const retryMilliseconds = 1_000;

export class Lane {
    state = 'connecting'; // or live, cut, lost
    ledger = new DeliveryLedger();
    recent = []; // { time, staleness } of the last 30 s, for the plot
    lastStaleness = null;
    resumed = null; // { after, count, began }: where it continued and what it caught up

    #makeTransport;
    #transport;
    #clock;
    #cursor = 'now';
    #staleness = new SlidingWindow(windowMilliseconds);
    #updates = new SlidingWindow(windowMilliseconds);
    #bytes = new SlidingWindow(windowMilliseconds);
    #requests = new SlidingWindow(windowMilliseconds);
    #openedAt = 0;
    #retry = 0;

    /** @param makeTransport  called with a listener */
    constructor(makeTransport, clock) {
        this.#makeTransport = makeTransport;
        this.#clock = clock;
    }

    open() {
        this.state = 'connecting';
        this.#openedAt = performance.now();
        this.#transport = this.#makeTransport({
            opened: () => {
                this.state = 'live';
            },
            waiting: () => {
                this.state = 'connecting';
            },
            requested: (bytes) => this.#requested(bytes),
            delivered: (events, bytes) => this.#delivered(events, bytes),
            reached: (cursor) => {
                this.#cursor = cursor;
            },
            missed: (gap) => this.#missed(gap),
            lost: () => this.#lost(),
        });
        this.#transport.open(this.#cursor);
    }

    /** Ends the connection; the cursor stays. */
    cut() {
        clearTimeout(this.#retry);
        this.#transport?.close();
        this.#transport = null;
        this.state = 'cut';
        this.resumed = null;
        for (const window of this.#windows) window.clear();
        this.lastStaleness = null;
    }

    /** Connects again where it was cut. */
    resume() {
        if (this.ledger.lastOffset !== null)
            this.resumed = { after: this.ledger.lastOffset, count: 0, began: this.#clock.now() };
        this.open();
    }

    get #windows() {
        return [this.#staleness, this.#updates, this.#bytes, this.#requests];
    }

    /** What there is to show, at most for the last ten seconds. */
    measure() {
        const now = performance.now();
        for (const window of this.#windows) window.trim(now);
        const seconds = Math.max(1, Math.min(windowMilliseconds, now - this.#openedAt) / 1000);
        const updates = this.#updates.count;
        return {
            staleness: spread(this.#staleness.values),
            updatesPerSecond: updates / seconds,
            requestsPerSecond: this.#requests.count / seconds,
            bytesPerUpdate: updates > 0 ? this.#bytes.sum / updates : null,
        };
    }

    #requested(bytes) {
        this.#requests.add(performance.now(), 1);
        this.#bytes.add(performance.now(), bytes);
    }

    #delivered(events, bytes) {
        const time = performance.now();
        if (events.length > 0) this.#clock.heard(events.at(-1).data.t);
        const now = this.#clock.now();
        this.#bytes.add(time, bytes);
        for (const event of events) {
            const staleness = now - event.data.t;
            this.#updates.add(time, 1);
            this.ledger.note(event.offset);
            this.recent.push({ time: now, staleness });
            // What was published during the cut is late because of the cut, not of the transport.
            if (this.resumed && event.data.t < this.resumed.began) this.resumed.count += 1;
            else this.#staleness.add(time, staleness);
            this.lastStaleness = staleness;
        }
        const oldest = now - 30_000;
        let expired = 0;
        while (expired < this.recent.length && this.recent[expired].time < oldest) expired += 1;
        if (expired > 0) this.recent.splice(0, expired);
    }

    #missed(gap) {
        if (gap.reason === 'epoch') this.ledger.restart(gap.to);
    }

    #lost() {
        this.cut();
        this.state = 'lost';
        this.#retry = setTimeout(() => this.resume(), retryMilliseconds);
    }
}
