// Keeps the books of one subscription: events have offsets 1, 2, 3 … without holes, so each one is
// the next, missing some before it, or one that was there already.

export class DeliveryLedger {
    received = 0;
    missing = 0;
    doubled = 0;
    lastOffset = null;

    note(offset) {
        this.received += 1;
        if (this.lastOffset !== null && offset <= this.lastOffset) {
            this.doubled += 1;
            return;
        }
        if (this.lastOffset !== null) this.missing += offset - this.lastOffset - 1;
        this.lastOffset = offset;
    }

    /** The channel began a new life: its offsets start at 1 again. */
    restart() {
        this.lastOffset = null;
    }
}
