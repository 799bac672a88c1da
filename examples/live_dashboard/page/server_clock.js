// The server's clock, seen from here. A browser's own clock may be seconds off, and publish times
// are the server's, so staleness needs it.

export class ServerClock {
    #offset = performance.timeOrigin; // server's time minus performance.now()

    /** What the server says of itself, from the last `synchronise`. */
    about = { market: '', request_bytes: 0 };

    /** Milliseconds since the Unix epoch at the server. */
    now() {
        return performance.now() + this.#offset;
    }

    /** A message of the server's cannot be from the future: if it seems to, this clock is late. */
    heard(published) {
        this.#offset = Math.max(this.#offset, published - performance.now());
    }

    /** Asks a few times; the fastest answer is wrong by less than half of its round trip. */
    async synchronise(rounds = 5) {
        let fastest = Infinity;
        for (let i = 0; i < rounds; ++i) {
            const sent = performance.now();
            // The same cache mode as the polls, so that the browser sends the same fields.
            const response = await fetch('about', { cache: 'no-store' });
            const received = performance.now();
            this.about = await response.json();
            if (received - sent >= fastest) continue;
            fastest = received - sent;
            this.#offset = this.about.t - (sent + received) / 2;
        }
    }
}
