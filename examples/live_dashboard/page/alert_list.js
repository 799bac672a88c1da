// Alerts, newest first.

import { timeOfDay } from './format.js';

const shownMax = 60;
const limits = { raised: 'limit', cleared: 'cleared at' };

export function addAlert(list, { t, what, of, state, value, limit, unit }) {
    const entry = document.createElement('li');
    entry.dataset.state = state;
    const add = (tag, className, text) => {
        const element = entry.appendChild(document.createElement(tag));
        element.className = className;
        element.textContent = text;
    };
    add('span', 'alert-state', state);
    add('b', 'alert-what', `${of} ${what}`);
    add('time', 'alert-time', timeOfDay(t));
    add('span', 'alert-value', `${value.toFixed(1)} ${unit}, ${limits[state]} ${limit} ${unit}`);
    list.prepend(entry);
    while (list.children.length > shownMax) list.lastElementChild.remove();
}
