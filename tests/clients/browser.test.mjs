// Chromium, from a page of another origin, with nothing but WebSocket, EventSource and fetch.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { numbers } from './support/delivery_cases.mjs';
import { startHub } from './support/open_hub.mjs';
import { servePage } from './support/page_server.mjs';
import { post, startPublisher } from './support/publisher.mjs';
import { seededRandom } from './support/random.mjs';
import { startProxy } from './support/tcp_proxy.mjs';
import { until } from './support/wait.mjs';

const names = ['WebSocket', 'EventSource', 'long-poll', 'short-poll'];

describe('a page in Chromium', { skip: noBrowser, timeout: 120_000 }, () => {
    let hub;
    let publisher;
    let browser;
    let origin;
    let page;
    before(async () => {
        [hub, browser, origin] = await Promise.all([startHub(), startBrowser(), servePage()]);
        publisher = await startPublisher(hub.url);
        ({ page } = await browser.open(origin.url));
    });
    after(async () => {
        publisher?.close();
        origin?.close();
        await browser?.close();
        await hub?.stop();
    });

    const begin = (name, options, url = hub.url) =>
        page.evaluate(async ([name, url, options]) => {
            globalThis.client = clients[name](url, options);
            await client.opened;
        }, [name, url, options]);
    const received = (count) =>
        page.evaluate(async (count) => {
            await until(() => client.events.length >= count, `${count} events but ${client.events.length}`);
            return client.events;
        }, count);
    const cut = () =>
        page.evaluate(() => {
            client.cut();
            return { events: client.events, cursor: client.cursor };
        });
    const offsets = (events) => events.map(({ offset }) => offset);

    for (const name of names)
        test(`gets live events in order over ${name}`, async () => {
            const channel = `live.${name}`;
            await begin(name, { channel });
            await publisher.burst(channel, 1, 200);
            const events = await received(200);
            assert.deepEqual(events.map(({ data }) => data.n), numbers(1, 200));
            const { cursor } = await cut();
            await publisher.burst(channel, 201, 220);
            await begin(name, { channel, cursor });
            assert.deepEqual(offsets(await received(20)), numbers(201, 220));
            await cut();
        });

    test('hands its cursor from transport to transport and loses and doubles nothing', async () => {
        const random = seededRandom('switch of transport in Chromium');
        await begin('long-poll', { channel: 'hop' });
        const published = publisher.run('hop', { atATime: 2 });
        await received(1);
        let { events: seen, cursor } = await cut();
        for (const name of [...names, ...numbers(1, 6).map(() => random.pick(names))]) {
            await begin(name, { channel: 'hop', cursor });
            await received(1 + random.below(20));
            const left = await cut();
            seen.push(...left.events);
            cursor = left.cursor;
        }
        publisher.stop();
        const last = await published;
        await begin('short-poll', { channel: 'hop', cursor });
        await received(last - seen.length);
        seen.push(...(await cut()).events);
        assert.deepEqual(offsets(seen), numbers(1, last));
    });

    test('has an EventSource that comes back by itself, to its server without loss, to another with a gap', async () => {
        const first = await startHub();
        const proxy = await startProxy(first.port);
        await begin('EventSource', { channel: 'ticks' }, proxy.url);
        // Nothing has come yet: the browser resumes with the id that the stream began with.
        proxy.cut();
        for (const n of numbers(1, 5)) await post(first.url, 'ticks', { n });
        assert.deepEqual(offsets(await received(5)), numbers(1, 5));
        proxy.cut();
        for (const n of numbers(6, 9)) await post(first.url, 'ticks', { n });
        assert.deepEqual(offsets(await received(9)), numbers(1, 9));

        await first.kill();
        const second = await startHub();
        proxy.target(second.port);
        await post(second.url, 'ticks', 'one');
        await post(second.url, 'ticks', 'two');
        const events = await received(11);
        assert.deepEqual(events[9], { gap: 'ticks', from: 1, to: 1, reason: 'epoch' });
        assert.equal(events[10].data, 'two');
        await cut();
        await proxy.close();
        await second.stop();
    });

    test('resumes a hundred channels on one EventSource', async () => {
        const channels = numbers(1, 100).map((i) => `many.${i}`);
        const proxy = await startProxy(hub.port);
        await begin('EventSource', { channel: channels.join() }, proxy.url);
        for (const channel of channels) await publisher.publish(channel, 1);
        await received(100);
        proxy.cut();
        for (const channel of channels) await publisher.publish(channel, 2);
        await received(200);
        const { events } = await cut();
        // Several channels on one event stream are at least once; offsets tell what came before.
        const distinct = new Set(events.map(({ channel, offset, data }) => `${channel} ${offset} ${data}`));
        assert.deepEqual([...distinct].sort(), channels.flatMap((c) => [`${c} 1 1`, `${c} 2 2`]).sort());
        await proxy.close();
    });

    test('gets binary payloads as bytes on a raw WebSocket and in base64 elsewhere', async () => {
        const got = page.evaluate(async (url) => {
            const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/raw/bytes`);
            socket.binaryType = 'arraybuffer';
            globalThis.isOpen = new Promise((resolve) => (socket.onopen = resolve));
            const { data } = await new Promise((resolve) => (socket.onmessage = resolve));
            return [...new Uint8Array(data)];
        }, hub.url);
        await page.evaluate(() => until(() => globalThis.isOpen, 'begun').then(() => globalThis.isOpen));
        await post(hub.url, 'bytes', Buffer.of(0, 200, 255, 13), { type: 'application/octet-stream' });
        assert.deepEqual(await got, [0, 200, 255, 13]);
        const inBase64 = await page.evaluate(async (url) => {
            const { events } = await (await fetch(`${url}/poll?channel=bytes`)).json();
            return [...atob(events[0].data64)].map((character) => character.charCodeAt(0));
        }, hub.url);
        assert.deepEqual(inBase64, [0, 200, 255, 13]);
    });

    test('publishes JSON and polls with If-None-Match, for both of which its browser asks first', async () => {
        await begin('EventSource', { channel: 'from.page' });
        const answer = await page.evaluate(async (url) => {
            const response = await fetch(`${url}/publish?channel=from.page&key=k`, {
                method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"hello":"page"}',
            });
            return response.json();
        }, hub.url);
        assert.equal(answer.offset, 1);
        assert.deepEqual(await received(1), [{ channel: 'from.page', offset: 1, key: 'k', data: { hello: 'page' } }]);
        await cut();
        const statuses = await page.evaluate(async (url) => {
            const first = await fetch(`${url}/poll?channel=from.page`, { cache: 'no-store' });
            await first.text();
            const headers = { 'If-None-Match': first.headers.get('ETag') };
            const second = await fetch(`${url}/poll?channel=from.page`, { cache: 'no-store', headers });
            return [first.status, second.status];
        }, hub.url);
        assert.deepEqual(statuses, [200, 304]);
    });

    test('gets a cursor older than what is kept answered with a gap on each transport', async () => {
        const small = await startHub({ events: 5 });
        const { cursor } = await post(small.url, 'old', 1);
        for (const n of numbers(2, 20)) await post(small.url, 'old', n);
        for (const name of names) {
            await begin(name, { channel: 'old', cursor }, small.url);
            const events = await received(2);
            assert.deepEqual(events[0], { gap: 'old', from: 2, to: 19, reason: 'retention' }, name);
            assert.equal(events[1].offset, 20, name);
            await cut();
        }
        await small.stop();
    });

    test('keeps two hundred WebSockets at once', async () => {
        await page.evaluate(async (url) => {
            globalThis.many = Array.from({ length: 200 }, () => clients.WebSocket(url, { channel: 'crowd' }));
            await Promise.all(many.map(({ opened }) => opened));
        }, hub.url);
        await publisher.burst('crowd', 1, 5);
        const all = await page.evaluate(async () => {
            await until(() => many.every(({ events }) => events.length === 5), 'five events each');
            return many.map(({ events, cut }) => (cut(), events.map(({ offset }) => offset)));
        });
        assert.deepEqual(all, numbers(1, 200).map(() => [1, 2, 3, 4, 5]));
    });

    test('is told why it is refused', async () => {
        const refused = await page.evaluate(async (url) => {
            const source = new EventSource(`${url}/sse?channel=a..b`);
            await new Promise((resolve) => (source.onerror = resolve));
            const poll = await fetch(`${url}/poll?channel=a&cursor=x`);
            return { isClosed: source.readyState === EventSource.CLOSED, status: poll.status, ...(await poll.json()) };
        }, hub.url);
        assert.equal(refused.isClosed, true);
        assert.equal(refused.status, 400);
        assert.equal(refused.error.code, 'bad_cursor');
    });

    test('sees a server that stops: 1001 on WebSocket, an end on EventSource, an answer to a long-poll', async () => {
        const stopping = await startHub();
        const proxy = await startProxy(stopping.port);
        await page.evaluate(async ([url, pollUrl]) => {
            globalThis.socket = clients.WebSocket(url, { channel: 'a' });
            globalThis.source = clients.EventSource(url, { channel: 'a' });
            await Promise.all([socket.opened, source.opened]);
            globalThis.answer = fetch(`${pollUrl}/poll?channel=a&cursor=now&wait=60`).then((response) => response.json());
        }, [stopping.url, proxy.url]);
        // What is answered on a later connection was read after the poll before it.
        await until(() => proxy.sentBytes() > 0, 'polling');
        await (await fetch(`${stopping.url}/poll?channel=a`)).text();
        await stopping.stop();
        const seen = await page.evaluate(async () => {
            await until(() => source.source.readyState === EventSource.CONNECTING, 'an ended EventSource');
            source.cut();
            return { closed: await socket.closed, events: (await answer).events };
        });
        assert.deepEqual([seen.closed.code, seen.closed.wasClean], [1001, true]);
        assert.deepEqual(seen.events, []);
        await proxy.close();
    });
});
