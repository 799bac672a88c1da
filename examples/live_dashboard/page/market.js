// What is known of each symbol: its newest quote, its bars and how its price moved.

const barsKept = 120;

/** How many decimals a number has: 1.1213 has four. */
function decimalsOf(value) {
    const text = String(value);
    const point = text.indexOf('.');
    return point < 0 ? 0 : text.length - point - 1;
}

class Instrument {
    bid = null;
    ask = null;
    direction = 0; // of the last move: -1, 0 or 1
    movedAt = -Infinity; // by performance.now()
    decimals = 2;
    rate = 0;
    bars = [];
    forming = null; // the bar of this second, from the quotes
    firstPrice = null;

    constructor(symbol) {
        this.symbol = symbol;
    }

    get mid() {
        return (this.bid + this.ask) / 2;
    }

    get spreadBasisPoints() {
        return ((this.ask - this.bid) / this.mid) * 1e4;
    }

    get changeBasisPoints() {
        return (this.mid / this.firstPrice - 1) * 1e4;
    }

    quote({ bid, ask, t }) {
        const before = this.mid;
        const isFirst = this.bid === null;
        this.bid = bid;
        this.ask = ask;
        this.decimals = Math.max(this.decimals, decimalsOf(bid), decimalsOf(ask));
        this.firstPrice ??= this.mid;
        if (!isFirst && this.mid !== before) {
            this.direction = Math.sign(this.mid - before);
            this.movedAt = performance.now();
        }
        const begin = Math.floor(t / 1000);
        const price = this.mid;
        if (this.forming?.begin === begin) {
            this.forming.high = Math.max(this.forming.high, price);
            this.forming.low = Math.min(this.forming.low, price);
            this.forming.close = price;
        } else {
            this.forming = {
                begin,
                open: price,
                high: price,
                low: price,
                close: price,
                average: null,
            };
        }
    }

    bar(bar) {
        this.bars.push(bar);
        if (this.bars.length > barsKept) this.bars.shift();
        if (this.forming && this.forming.begin <= bar.begin) this.forming = null;
    }
}

export class Market {
    #instruments = new Map();

    /** Symbols in the order of the alphabet. */
    get instruments() {
        return [...this.#instruments.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    }

    get(symbol) {
        return this.#instruments.get(symbol);
    }

    quote(event) {
        this.#of(event.key).quote(event.data);
    }

    bar(event) {
        const instrument = this.#of(event.key);
        instrument.firstPrice ??= event.data.open;
        instrument.bar(event.data);
    }

    rate(symbol, value) {
        this.#of(symbol).rate = value;
    }

    #of(symbol) {
        if (!this.#instruments.has(symbol)) this.#instruments.set(symbol, new Instrument(symbol));
        return this.#instruments.get(symbol);
    }
}
