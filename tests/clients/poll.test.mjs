import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { deliveryCases, numbers } from './support/delivery_cases.mjs';
import { startHub } from './support/open_hub.mjs';
import { post, startPublisher } from './support/publisher.mjs';
import { RawClient } from './support/raw_client.mjs';

deliveryCases('long-poll of fetch');
deliveryCases('short-poll of fetch');

describe('polls', () => {
    let hub;
    before(async () => {
        hub = await startHub();
    });
    after(() => hub?.stop());

    const poll = async (query, headers = {}) => {
        const response = await fetch(`${hub.url}/poll?${query}`, { headers });
        const text = await response.text();
        return { status: response.status, etag: response.headers.get('etag'), ...(text ? JSON.parse(text) : {}) };
    };

    test('a short-poll without a cursor gives the state, and says when it is unchanged', async () => {
        for (const [key, n] of [['a', 1], ['b', 2], ['a', 3]]) await post(hub.url, 'state', { n }, { key });
        const state = await poll('channel=state');
        assert.deepEqual(state.events.map(({ offset }) => offset), [2, 3]);
        assert.equal(state.etag, `"${state.cursor}"`);
        assert.equal((await poll('channel=state', { 'If-None-Match': state.etag })).status, 304);
        await post(hub.url, 'state', { n: 4 }, { key: 'a' });
        const changed = await poll('channel=state', { 'If-None-Match': state.etag });
        assert.deepEqual([changed.status, changed.events.length], [200, 2]);
        const since = await poll(`channel=state&cursor=${state.cursor}`, { 'If-None-Match': state.etag });
        assert.deepEqual(since.events.map(({ offset }) => offset), [4]);
    });

    test('a long-poll waits for an event, or for the end of its wait', async () => {
        const { cursor } = await poll('channel=wait&cursor=now');
        const waiting = poll(`channel=wait&cursor=${cursor}&wait=20`);
        const patient = poll(`channel=nothing&cursor=now&wait=1`);
        await post(hub.url, 'wait', 'now');
        assert.deepEqual((await waiting).events.map(({ data }) => data), ['now']);
        const late = await patient;
        assert.deepEqual([late.status, late.events], [200, []]);
    });

    test('a limit and the bound of an answer cut it, and the next poll goes on there', async () => {
        const publisher = await startPublisher(hub.url);
        await publisher.burst('cut', 1, 30, 'x'.repeat(50_000));
        publisher.close();
        let { cursor, events } = await poll('channel=cut&cursor=oldest&limit=7');
        const seen = events.map(({ offset }) => offset);
        assert.deepEqual(seen, numbers(1, 7));
        for (let polls = 0; seen.length < 30 && polls < 10; ++polls) {
            ({ cursor, events } = await poll(`channel=cut&cursor=${cursor}`));
            assert.ok(events.length <= 22, `${events.length} events of 50 KB in one answer`);
            seen.push(...events.map(({ offset }) => offset));
        }
        assert.deepEqual(seen, numbers(1, 30));
    });

    test('a poll reports the gap of each channel beside the events', async () => {
        await post(hub.url, 'gap.a', 1);
        await post(hub.url, 'gap.a', 2);
        await post(hub.url, 'gap.b', 1);
        const { gaps, events, cursor } = await poll('channel=gap.a,gap.b&cursor=gap.a~abc-7!gap.b~abc-7');
        assert.deepEqual(gaps[0], { gap: 'gap.a', from: 1, to: 1, reason: 'epoch' });
        assert.deepEqual(gaps.map(({ gap }) => gap), ['gap.a', 'gap.b']);
        assert.deepEqual(events.map(({ channel, offset }) => [channel, offset]), [['gap.a', 2], ['gap.b', 1]]);
        assert.deepEqual((await poll(`channel=gap.a,gap.b&cursor=${cursor}`)).events, []);
    });

    test('curl publishes and polls', async () => {
        const curl = async (...args) => (await promisify(execFile)('curl', ['-sS', '--max-time', '20', ...args])).stdout;
        const publish = `${hub.url}/publish?channel=curl`;
        const { cursor } = JSON.parse(await curl('-H', 'Content-Type: text/plain', '-d', 'one', publish));
        const waiting = curl(`${hub.url}/poll?channel=curl&cursor=${cursor}&wait=20`);
        await curl('-H', 'Content-Type: application/json', '-H', 'Transfer-Encoding: chunked', '-d', '{"n":2}', publish);
        const { events } = JSON.parse(await waiting);
        assert.deepEqual(events, [{ channel: 'curl', offset: 2, data: { n: 2 } }]);
        const large = await curl('-H', 'Expect: 100-continue', '-H', 'Content-Type: text/plain', '-d', 'x'.repeat(100_000), publish);
        assert.equal(JSON.parse(large).offset, 3);
        assert.equal(await curl('-o', '/dev/null', '-w', '%{http_code}', `${hub.url}/poll?channel=..`), '400');
    });
});

test('a server that stops answers its long-polls, drops idle connections and ends well', async () => {
    const hub = await startHub();
    const idle = await RawClient.connect(hub.port);
    const get = (query) => `GET /live/poll?channel=a&${query} HTTP/1.1\r\nHost: a\r\n\r\n`;
    idle.send(get('cursor=now&wait=60'));
    const { cursor } = await (await fetch(`${hub.url}/poll?channel=a&cursor=now`)).json();
    await post(hub.url, 'a', 1);
    await idle.until(({ text }) => text.endsWith(']}\n'), 'answer');

    const waiting = await Promise.all(numbers(1, 20).map(() => RawClient.connect(hub.port)));
    const next = cursor.replace(/0$/, '1');
    for (const client of waiting) client.send(get(`cursor=${next}&wait=60`));
    // What is answered on a later connection was read after the polls before it.
    await (await fetch(`${hub.url}/poll?channel=a`)).text();
    await hub.stop();
    for (const client of waiting) {
        await client.closed();
        assert.match(client.text, /^HTTP\/1.1 200 [\s\S]*Connection: close\r\n[\s\S]*"events":\[\]\}\n$/);
    }
    await idle.closed();
});
