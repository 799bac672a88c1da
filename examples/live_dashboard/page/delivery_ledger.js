// Keeps the books of one subscription: events have offsets 1, 2, 3 … without holes, so each one
// is the next, or some before it are missing, or it was there already.

export class DeliveryLedger {
    received = 0;
    missing = 0;
    doubled = 0;
    lastOffset = null;
    #announced = 0; // holes up to here were announced as another life of the channel

    note(offset) {
        this.received += 1;
        if (this.lastOffset !== null && offset <= this.lastOffset) {
            this.doubled += 1;
            return;
        }
        const known = Math.max(this.lastOffset ?? offset - 1, this.#announced);
        this.missing += Math.max(0, offset - known - 1);
        this.lastOffset = offset;
    }

    /** The channel began a new life, whose events up to an offset are not ours to miss. */
    restart(upTo) {
        this.lastOffset = null;
        this.#announced = upTo;
    }
}
