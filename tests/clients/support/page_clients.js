// Clients for a page, of nothing but what browsers have: WebSocket, EventSource and fetch.
//
// Each of `clients` takes (url, { channel, cursor }) and gives { opened, events, cursor, cut() }:
// events and gap notices as they came, and the cursor to resume with.

const address = (url, path, { channel, cursor }, others = {}) => {
    const query = new URLSearchParams({ channel, ...others });
    if (cursor) query.set('cursor', cursor);
    return `${url}/${path}?${query}`;
};

function overWebSocket(url, options) {
    const socket = new WebSocket(address(url.replace('http', 'ws'), 'ws', options), 'livetape.v1.json');
    const client = { events: [], cursor: options.cursor, cut: () => ((socket.onmessage = null), socket.close()) };
    client.opened = new Promise((resolve) => {
        socket.onmessage = ({ data }) => {
            const message = JSON.parse(data);
            if (message.subscribed) {
                client.cursor = message.cursor;
                return resolve();
            }
            if (message.offset) client.cursor = client.cursor.replace(/\d+$/, message.offset);
            client.events.push(message);
        };
    });
    client.closed = new Promise((resolve) => {
        socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    });
    return client;
}

function overEventSource(url, options) {
    const source = new EventSource(address(url, 'sse', options));
    const client = { events: [], cursor: options.cursor, openings: 0, source };
    client.cut = () => ((source.onmessage = null), source.close());
    client.opened = new Promise((resolve) => {
        source.onopen = () => {
            ++client.openings;
            resolve();
        };
    });
    source.onmessage = ({ data, lastEventId }) => {
        client.cursor = lastEventId;
        client.events.push(JSON.parse(data));
    };
    return client;
}

function overPolls(url, options, wait) {
    const stopping = new AbortController();
    const client = { events: [], cursor: options.cursor };
    client.cut = () => stopping.abort();
    const poll = async (request, seconds) => {
        const response = await fetch(address(url, 'poll', request, { wait: seconds }), { signal: stopping.signal });
        const answer = await response.json();
        if (stopping.signal.aborted) return;
        client.events.push(...(answer.gaps ?? []), ...answer.events);
        client.cursor = answer.cursor;
    };
    client.opened = options.cursor ? Promise.resolve() : poll({ ...options, cursor: 'now' }, 0);
    client.opened.then(async () => {
        while (!stopping.signal.aborted) await poll({ ...options, cursor: client.cursor }, wait);
    }).catch(() => {});
    return client;
}

globalThis.clients = {
    WebSocket: overWebSocket,
    EventSource: overEventSource,
    'long-poll': (url, options) => overPolls(url, options, 25),
    'short-poll': (url, options) => overPolls(url, options, 0),
};

globalThis.until = async (condition, what) => {
    for (const end = Date.now() + 15_000; !condition(); await new Promise((resolve) => setTimeout(resolve, 5)))
        if (Date.now() > end) throw new Error(`not ${what}`);
};
