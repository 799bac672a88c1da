// Shows a lane as a card: figures four times a second, the plot of its staleness beside them.

import { duration, durationText, setText, short, whole } from './format.js';
import { drawStaleness } from './staleness_plot.js';

const template = document.getElementById('lane');

export class LaneView {
    #lane;
    #fields = {};
    #canvas;
    #newestOffset;

    /** @param newestOffset  gives the channel's newest offset as another connection knows it */
    constructor(name, transport, lane, newestOffset) {
        const root = template.content.firstElementChild.cloneNode(true);
        root.dataset.transport = name;
        root.querySelector('h3').textContent = transport.title;
        root.querySelector('.lane-how').textContent = transport.how;
        for (const field of root.querySelectorAll('[data-field]'))
            this.#fields[field.dataset.field] = field;
        this.root = root;
        this.button = root.querySelector('.cut');
        this.button.addEventListener('click', () => this.toggle());
        this.#canvas = root.querySelector('canvas');
        this.#lane = lane;
        this.#newestOffset = newestOffset;
    }

    get isCut() {
        return this.#lane.state === 'cut';
    }

    toggle() {
        if (this.isCut) this.#lane.resume();
        else this.#lane.cut();
        this.render();
    }

    render() {
        const lane = this.#lane;
        const { staleness, updatesPerSecond, requestsPerSecond, bytesPerUpdate } = lane.measure();
        const set = (name, text) => setText(this.#fields[name], text);
        const [median, unit] = staleness ? duration(staleness.median) : ['–', 'ms'];
        set('median', median);
        set('median-unit', unit);
        set('last', lane.lastStaleness === null ? '–' : durationText(lane.lastStaleness));
        set('worst', staleness ? durationText(staleness.worst) : '–');
        set('updates', short(updatesPerSecond));
        set('requests', short(requestsPerSecond));
        set('bytes', bytesPerUpdate === null ? '–' : whole(bytesPerUpdate));
        set('received', whole(lane.ledger.received));
        set('missing', whole(lane.ledger.missing));
        set('doubled', whole(lane.ledger.doubled));
        set('note', this.#note());
        this.root.dataset.state = lane.state;
        this.root.dataset.isWhole = lane.ledger.missing + lane.ledger.doubled === 0;
        setText(this.root.querySelector('.lane-state span'), lane.state);
        setText(this.button, this.isCut ? 'Resume' : 'Cut');
    }

    draw(now) {
        drawStaleness(this.#canvas, this.#lane.recent, now);
    }

    #note() {
        const { state, ledger, resumed } = this.#lane;
        if (ledger.lastOffset === null) return 'waiting for the first event';
        const at = whole(ledger.lastOffset);
        if (state === 'cut' || state === 'lost') {
            const behind = Math.max(0, this.#newestOffset() - ledger.lastOffset);
            return `at offset ${at}, ${whole(behind)} behind`;
        }
        if (resumed)
            return `resumed after ${whole(resumed.after)}, caught up ${whole(resumed.count)}`;
        return `at offset ${at}`;
    }
}
