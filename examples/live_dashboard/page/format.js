// Numbers as people read them, in a width that hardly changes.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const whole = (value) => grouped.format(value);

/** Few digits: 0.8, 12.3, 1,234. */
export function short(value) {
    if (value < 0.05) return '0';
    if (value >= 100) return whole(value);
    return value.toFixed(1);
}

/** Milliseconds as [number, unit]. */
export function duration(milliseconds) {
    if (milliseconds >= 9_950) return [(milliseconds / 1000).toFixed(1), 's'];
    if (milliseconds >= 9.95) return [whole(milliseconds), 'ms'];
    return [Math.max(milliseconds, 0).toFixed(1), 'ms'];
}

export const durationText = (milliseconds) => duration(milliseconds).join(' ');

/** 1536000 as '1.5 M': for bytes per second. */
export function bytes(value) {
    const units = ['', 'k', 'M', 'G', 'T'];
    let unit = 0;
    while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
    }
    const digits = unit === 0 || value >= 99.95 ? 0 : 1;
    return `${value.toFixed(digits)}${units[unit] && ' ' + units[unit]}`;
}

const clockTime = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
});

/** Milliseconds since the epoch as 17:04:09. */
export const timeOfDay = (milliseconds) => clockTime.format(milliseconds);

/** Sets a text only if it is another one: the browser then lays out nothing. */
export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}
