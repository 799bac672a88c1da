// Telemetry as a table of a row per reading and a column per metric, as charts want it. Events come
// one by one; those of one reading have nearly the same time.

const rowMilliseconds = 40;
const keptSeconds = 65;

export class TelemetryTable {
    times = []; // seconds since the epoch
    #columns = new Map();

    get names() {
        return [...this.#columns.keys()];
    }

    add(name, time, value) {
        const last = this.times.length - 1;
        if (last < 0 || time > this.times[last] * 1000 + rowMilliseconds)
            this.#beginRow(time / 1000);
        if (!this.#columns.has(name))
            this.#columns.set(name, new Array(this.times.length).fill(null));
        this.#columns.get(name)[this.times.length - 1] = value;
    }

    column(name) {
        return this.#columns.get(name) ?? new Array(this.times.length).fill(null);
    }

    latest(name) {
        const column = this.#columns.get(name);
        return column?.at(-1) ?? column?.at(-2) ?? null;
    }

    #beginRow(time) {
        this.times.push(time);
        for (const column of this.#columns.values()) column.push(null);
        const oldest = time - keptSeconds;
        if (this.times[0] > oldest - 10) return; // in portions, not at every row
        const expired = this.times.findIndex((each) => each >= oldest);
        this.times.splice(0, expired);
        for (const column of this.#columns.values()) column.splice(0, expired);
    }
}
