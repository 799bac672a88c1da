import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { EventSource } from 'eventsource';
import { deliveryCases, numbers } from './support/delivery_cases.mjs';
import { readEventStream } from './support/event_stream.mjs';
import { Inbox } from './support/inbox.mjs';
import { startHub } from './support/open_hub.mjs';
import { post, startPublisher } from './support/publisher.mjs';
import { startProxy } from './support/tcp_proxy.mjs';
import { until, within } from './support/wait.mjs';

deliveryCases('EventSource of eventsource');
deliveryCases('event stream of fetch');

describe('event streams', () => {
    let hub;
    before(async () => {
        hub = await startHub();
    });
    after(() => hub?.stop());

    /// The stream of a path as an iterator of blocks.
    async function open(path, headers = {}) {
        const stopping = new AbortController();
        const response = await fetch(hub.url + path, { headers, signal: stopping.signal });
        const blocks = readEventStream(response.body);
        const next = async () => (await within(blocks.next(), 'block')).value;
        return { response, next, cut: () => stopping.abort() };
    }

    test('the response says that it is one and must not be stored', async () => {
        const { response, cut } = await open('/sse?channel=head');
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), 'text/event-stream');
        assert.match(response.headers.get('cache-control'), /no-store/);
        assert.equal(response.headers.get('x-accel-buffering'), 'no');
        const reader = response.body.getReader();
        const first = new TextDecoder().decode((await reader.read()).value);
        const retry = Number(first.match(/^retry: ?(\d+)$/m)[1]);
        assert.ok(retry >= 2000 && retry <= 4000, first);
        cut();
    });

    test('a stream can be resumed before its first event', async () => {
        const quiet = await open('/sse?channel=quiet');
        const { id, data } = await quiet.next();
        assert.equal(data, null);
        quiet.cut();
        await post(hub.url, 'quiet', 'missed');
        const again = await open('/sse?channel=quiet', { 'Last-Event-ID': id });
        await again.next();
        assert.equal(JSON.parse((await again.next()).data).data, 'missed');
        again.cut();
    });

    test('the last event ID wins over the cursor', async () => {
        const { cursor } = await post(hub.url, 'wins', 1);
        await post(hub.url, 'wins', 2);
        const stream = await open('/sse?channel=wins&cursor=oldest', { 'Last-Event-ID': cursor });
        await stream.next();
        assert.equal(JSON.parse((await stream.next()).data).offset, 2);
        stream.cut();
    });

    test('a raw path carries payloads alone: lines as they are, bytes in base64, gaps as a type of their own', async () => {
        const stream = await open('/sse/raw/bare?cursor=abc-1');
        const gap = await stream.next();
        assert.equal(gap.type, 'gap');
        assert.deepEqual(JSON.parse(gap.data), { gap: 'bare', from: 1, to: 0, reason: 'epoch' });
        await stream.next();
        const { cursor } = await post(hub.url, 'bare', 'one\ntwo\n\nthree');
        assert.deepEqual(await stream.next(), { data: 'one\ntwo\n\nthree', id: cursor, type: 'message' });
        await post(hub.url, 'bare', Buffer.of(0, 255, 10), { type: 'application/octet-stream' });
        assert.equal((await stream.next()).data, 'AP8K');
        stream.cut();
    });

    test('curl reads a stream', async () => {
        const curl = spawn('curl', ['-sN', `${hub.url}/sse?channel=curl`], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        curl.stdout.on('data', (bytes) => (text += bytes));
        await until(() => text.includes('retry:'), 'begun');
        await post(hub.url, 'curl', { hello: 'curl' });
        await until(() => text.includes('data: {"channel":"curl","offset":1,"data":{"hello":"curl"}}\n'), 'an event');
        curl.kill();
        await once(curl, 'exit');
    });
});

test('an EventSource comes back by itself: to its server without loss, to another one with a gap', async () => {
    const hub = await startHub();
    const proxy = await startProxy(hub.port);
    const publisher = await startPublisher(hub.url);
    const source = new EventSource(`${proxy.url}/sse?channel=ticks`);
    const inbox = new Inbox();
    let openings = 0;
    source.onopen = () => ++openings;
    source.onmessage = ({ data }) => inbox.push(JSON.parse(data));
    const take = async (count) => {
        const offsets = [];
        while (offsets.length < count) offsets.push((await inbox.next()).offset);
        return offsets;
    };
    await until(() => openings === 1, 'open');
    await publisher.burst('ticks', 1, 10);
    assert.deepEqual(await take(10), numbers(1, 10));

    proxy.cut();
    await publisher.burst('ticks', 11, 20);
    await until(() => openings === 2, 'open again');
    await publisher.burst('ticks', 21, 30);
    assert.deepEqual(await take(20), numbers(11, 30));

    publisher.close();
    await hub.kill();
    const another = await startHub();
    proxy.target(another.port);
    await post(another.url, 'ticks', 'first');
    await post(another.url, 'ticks', 'second');
    assert.deepEqual(await inbox.next(), { gap: 'ticks', from: 1, to: 1, reason: 'epoch' });
    assert.deepEqual(await take(1), [2]);
    source.close();
    await proxy.close();
    await another.stop();
});

test('a server that stops ends its event streams and ends well', async () => {
    const hub = await startHub();
    const streams = await Promise.all(numbers(1, 20).map(() => fetch(`${hub.url}/sse?channel=a`)));
    const ends = Promise.all(streams.map((response) => response.text()));
    await hub.stop();
    for (const text of await ends) assert.match(text, /^retry: ?\d+$/m);
});
