// The newest quote of each symbol. A row is a button: it chooses the symbol of the chart.

import { setText, short } from './format.js';

const freshMilliseconds = 700; // that long a price keeps the colour of its move
const arrows = { '-1': '▼', 0: '', 1: '▲' };

export class QuoteTable {
    #body;
    #rows = new Map();
    #chosen = null;

    /** @param choose  called with the symbol whose row was chosen */
    constructor(table, choose) {
        this.#body = table.tBodies[0];
        this.#body.addEventListener('click', (event) => {
            const symbol = event.target.closest('tr')?.dataset.symbol;
            if (symbol) choose(symbol);
        });
    }

    mark(symbol) {
        this.#chosen = symbol;
    }

    render(market) {
        for (const instrument of market.instruments) {
            if (instrument.bid === null) continue;
            const row = this.#rows.get(instrument.symbol) ?? this.#addRow(instrument.symbol);
            const [name, bid, ask, spread, change, rate] = row.cells;
            setText(bid, instrument.bid.toFixed(instrument.decimals));
            setText(ask, instrument.ask.toFixed(instrument.decimals));
            setText(spread, instrument.spreadBasisPoints.toFixed(1));
            setText(rate, short(instrument.rate));
            const moved = instrument.changeBasisPoints;
            setText(change.firstChild, (moved >= 0 ? '+' : '−') + Math.abs(moved).toFixed(1));
            change.dataset.direction = Math.sign(Number(moved.toFixed(1)));
            row.dataset.direction = instrument.direction;
            row.dataset.isFresh = performance.now() - instrument.movedAt < freshMilliseconds;
            setText(name.lastChild, arrows[instrument.direction]);
            const isChosen = instrument.symbol === this.#chosen;
            row.classList.toggle('chosen', isChosen);
            name.firstChild.setAttribute('aria-pressed', isChosen);
        }
    }

    #addRow(symbol) {
        const row = document.createElement('tr');
        row.dataset.symbol = symbol;
        row.innerHTML = `
            <th scope="row"><button type="button"></button><i aria-hidden="true"></i></th>
            <td></td><td></td><td class="wide-only"></td>
            <td class="change"><span></span></td><td class="wide-only"></td>`;
        row.querySelector('button').textContent = symbol;
        const after = [...this.#body.rows].find((each) => each.dataset.symbol > symbol);
        this.#body.insertBefore(row, after ?? null);
        this.#rows.set(symbol, row);
        return row;
    }
}
