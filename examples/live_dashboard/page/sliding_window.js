// Values with their times, of the last so many milliseconds.

export class SlidingWindow {
    #entries = []; // [time, value], oldest first
    #first = 0;

    constructor(milliseconds) {
        this.milliseconds = milliseconds;
    }

    add(time, value) {
        this.#entries.push([time, value]);
    }

    clear() {
        this.#entries = [];
        this.#first = 0;
    }

    /** Forgets what is too old at `now`; call it before reading. */
    trim(now) {
        const entries = this.#entries;
        while (this.#first < entries.length && entries[this.#first][0] < now - this.milliseconds)
            this.#first += 1;
        if (this.#first > 1000 && this.#first * 2 > entries.length) {
            this.#entries = entries.slice(this.#first);
            this.#first = 0;
        }
    }

    get count() {
        return this.#entries.length - this.#first;
    }

    get values() {
        return this.#entries.slice(this.#first).map((entry) => entry[1]);
    }

    get sum() {
        let sum = 0;
        for (let i = this.#first; i < this.#entries.length; ++i) sum += this.#entries[i][1];
        return sum;
    }
}

/** The median and the largest of some numbers; null if there are none. */
export function spread(values) {
    if (values.length === 0) return null;
    const sorted = Float64Array.from(values).sort();
    return { median: sorted[sorted.length >> 1], worst: sorted[sorted.length - 1] };
}
