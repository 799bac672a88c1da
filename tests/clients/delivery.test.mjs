// What subscribers choose, and what they then get, over real sockets and by clients that know nothing
// of livetape: modes, rates, keys, credit, patterns, presence, history, retries, bytes, gaps, limits.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { transports } from './support/collectors.mjs';
import { numbers } from './support/delivery_cases.mjs';
import { LiveClient } from './support/live_client.mjs';
import { startHub } from './support/open_hub.mjs';
import { post, startPublisher } from './support/publisher.mjs';
import { until } from './support/wait.mjs';

const offsets = (events) => events.map(({ offset }) => offset);
const countOf = (events) => events.reduce((sum, { count = 1 }) => sum + count, 0);
const keysOf = (events) => events.map(({ key }) => key);

describe('delivery', () => {
    let hub;
    let publisher;
    const clients = [];
    before(async () => {
        hub = await startHub();
        publisher = await startPublisher(hub.url);
    });
    after(async () => {
        clients.forEach((client) => client.cut());
        publisher?.close();
        await hub?.stop();
    });

    async function connect(query, url = hub.url) {
        const client = await LiveClient.connect(url, query);
        clients.push(client);
        return client;
    }

    async function subscribe(channel, options, from = connect()) {
        const client = await from;
        await client.tell({ subscribe: channel, ...options });
        return client;
    }

    const publishKeys = (channel, keys) =>
        Promise.all([...keys].map((key, n) => publisher.publish(channel, { n }, { key })));
    const get = async (path) => (await fetch(`${hub.url}/${path}`)).json();

    test('latest: one who pauses gets the newest of each key, and counts of what it stands for', async () => {
        const large = await startHub({ bytes: 64 << 20 });
        const writer = await startPublisher(large.url);
        const client = await subscribe('latest', { mode: 'latest' }, connect('', large.url));
        client.socket.pause();
        const padding = 'x'.repeat(30_000); // 9 MB, more than the kernel takes in
        const published = numbers(1, 300).map((n) => writer.publish('latest', { n, padding }, { key: `k${n % 3}` }));
        await Promise.all(published);
        client.socket.resume();
        const events = await client.takeFor(300);
        assert.equal(countOf(events), 300);
        assert.ok(events.length < 300, `${events.length} events for 300`);
        assert.deepEqual(offsets(events.slice(-3)), [298, 299, 300]);
        for (const key of ['k0', 'k1', 'k2']) assert.equal(countOf(events.filter((e) => e.key === key)), 100);
        const { delivered, conflated, skipped, filtered } = await client.tell({ stats: 'latest' });
        assert.deepEqual([delivered, conflated, skipped, filtered], [events.length, 300 - events.length, 0, 0]);
        writer.close();
        await large.stop();
    });

    test('latest: what retention has passed is no gap', async () => {
        const small = await startHub({ events: 10 });
        const writer = await startPublisher(small.url);
        const client = await subscribe('short', { mode: 'latest', credit: 0 }, connect('', small.url));
        for (const n of numbers(1, 100)) await writer.publish('short', { n }, { key: `${n % 5}` });
        await client.tell({ credit: 'short', flushes: 1 });
        const events = await client.takeFor(100);
        assert.deepEqual(offsets(events), numbers(96, 100));
        assert.equal(countOf(events), 100);
        const { delivered, conflated, skipped } = await client.tell({ stats: 'short' });
        assert.deepEqual([delivered, conflated, skipped], [5, 95, 0]);
        writer.close();
        await small.stop();
    });

    for (const [name, open] of Object.entries(transports)) {
        test(`rate: ${name} gets all, or what is left of each key, when its turn comes`, async () => {
            const channels = [`rate.${name.replaceAll(' ', '_')}`];
            const latest = open(hub.url, { channels, mode: 'latest', rate: 4 });
            const every = open(hub.url, { channels, rate: 4 });
            await Promise.all([latest.opened, every.opened]);
            await publishKeys(channels[0], 'abcab'.repeat(20));
            assert.deepEqual(offsets(await every.take(100)), numbers(1, 100));
            const events = [];
            while (countOf(events) < 100) events.push(...(await latest.take(1)));
            assert.equal(countOf(events), 100);
            assert.ok(events.length < 100, `${events.length} events for 100`);
            assert.equal(events.at(-1).offset, 100);
            latest.cut();
            every.cut();
        });

        test(`snapshot: ${name} gets the state and then every event, while somebody publishes`, async () => {
            const channels = [`snapshot.${name.replaceAll(' ', '_')}`];
            let isStopped = false;
            const publishing = (async () => {
                let n = 0;
                for (; !isStopped; n += 5) await publishKeys(channels[0], 'abcde');
                return n;
            })();
            await until(async () => (await get(`history?channel=${channels[0]}`)).last >= 50, 'a running publisher');
            const collector = open(hub.url, { channels, snapshot: true });
            // The keys come in turn, so that the newest of each are the last five.
            const events = await collector.take(300);
            isStopped = true;
            const first = events[0].offset;
            assert.ok(first > 1, 'older events are superseded');
            events.push(...(await collector.take((await publishing) - first + 1 - events.length)));
            assert.deepEqual(offsets(events), numbers(first, await publishing));
            assert.deepEqual(new Set(keysOf(events.slice(0, 5))), new Set('abcde'));
            collector.cut();
        });

        test(`keys: ${name} gets those that it asked for`, async () => {
            const channels = [`keys.${name.replaceAll(' ', '_')}`];
            const collector = open(hub.url, { channels, keys: 'a,c' });
            await collector.opened;
            await publishKeys(channels[0], 'abcabd');
            assert.deepEqual(offsets(await collector.take(3)), [1, 3, 4]);
            collector.cut();
        });
    }

    test('keys: the newest event of one that is added comes at once, and of one that is removed none', async () => {
        await publishKeys('moving', 'abab');
        const client = await subscribe('moving', { mode: 'latest', keys: ['a'], snapshot: true });
        assert.deepEqual(offsets(await client.take(1)), [3]);
        await client.tell({ change: 'moving', add_keys: ['b', 'z'] });
        assert.deepEqual(offsets(await client.take(1)), [4]);
        await publishKeys('moving', 'acz');
        assert.deepEqual(keysOf(await client.take(2)), ['a', 'z']);
        await client.tell({ change: 'moving', remove_keys: ['a'] });
        await publishKeys('moving', 'aab');
        assert.deepEqual(offsets(await client.take(1)), [10]);
        const stats = await client.tell({ stats: 'moving' });
        assert.deepEqual(await client.takeBefore(stats), []);
        const { delivered, conflated, skipped, filtered } = stats;
        assert.deepEqual([delivered, conflated, skipped, filtered], [3, 0, 0, 3]);
        await client.tell({ change: 'moving', keys: null });
        await publishKeys('moving', 'xy');
        assert.deepEqual(keysOf(await client.take(2)), ['x', 'y']);
    });

    test('change: the place that is acknowledged is the boundary, while somebody publishes', async () => {
        const client = await subscribe('change', {});
        const published = publisher.run('change');
        const seen = await client.take(50);
        const slowed = await client.tell({ change: 'change', mode: 'latest', interval: 20 });
        seen.push(...(await client.takeBefore(slowed)));
        assert.deepEqual(offsets(seen), numbers(1, slowed.from - 1));
        assert.ok(seen.every(({ count }) => count === undefined));
        const conflated = await client.takeFor(100);
        const again = await client.tell({ change: 'change', mode: 'every', rate: null });
        conflated.push(...(await client.takeBefore(again)));
        assert.ok(conflated.every(({ offset }) => offset >= slowed.from && offset < again.from));
        publisher.stop();
        const last = await published;
        // What was pending at the change still stands for what it superseded.
        const rest = await client.takeFor(last - slowed.from + 1 - countOf(conflated));
        assert.ok(rest.every(({ offset }) => offset >= again.from));
        assert.equal(rest.at(-1).offset, last);
        await publisher.burst('change', 1, 5);
        assert.deepEqual(offsets(await client.take(5)), numbers(last + 1, last + 5));
        const { delivered, conflated: superseded } = await client.tell({ stats: 'change' });
        assert.equal(delivered + superseded, last + 5);
    });

    test('credit: a flush comes for each that the client grants, and no more', async () => {
        const client = await subscribe('credit', { mode: 'latest', credit: 1 });
        await publishKeys('credit', 'a');
        assert.deepEqual(keysOf(await client.take(1)), ['a']);
        await publishKeys('credit', 'bcb');
        assert.deepEqual(await client.takeBefore(await client.tell({ history: 'credit', limit: 1 })), []);
        const reply = client.tell({ credit: 'credit', flushes: 1 });
        const events = await client.take(2);
        assert.deepEqual(events.map(({ key, count = 1 }) => [key, count]), [['c', 1], ['b', 2]]);
        assert.equal((await reply).flushes, 1);
        await publishKeys('credit', 'd');
        assert.deepEqual(await client.takeBefore(await client.tell({ stats: 'credit' })), []);
    });

    test('patterns: channels that come later begin with their first event, and those covered twice come once', async () => {
        await publisher.publish('pat.old', 'before');
        const client = await connect();
        const all = await client.tell({ subscribe: 'pat.>' });
        assert.equal(all.subscribed, 'pat.>');
        assert.match(all.cursor, /^pat\.old~\w+-1$/);
        await client.tell({ subscribe: 'pat.*' });
        await publisher.publish('pat.new', 1);
        await publisher.publish('pat.old', 2);
        await publisher.publish('pat.new.deep', 3);
        await publisher.publish('other', 4);
        await publisher.publish('pat.new', 5);
        const items = [];
        while (items.filter(({ offset }) => offset).length < 4) items.push(await client.next());
        const events = items.filter(({ offset }) => offset);
        assert.deepEqual(events.map(({ channel, data }) => `${channel} ${data}`).sort(),
            ['pat.new 1', 'pat.new 5', 'pat.new.deep 3', 'pat.old 2']);
        const names = items.filter(({ subscribed }) => subscribed).map(({ subscribed }) => subscribed);
        assert.deepEqual(names.sort(), ['pat.new', 'pat.new.deep', 'pat.old']);
        await client.tell({ unsubscribe: 'pat.>' });
        await publisher.publish('pat.new.deep', 6);
        await publisher.publish('pat.old', 7);
        assert.equal((await client.next()).data, 7);
    });

    test('patterns: a cursor goes on over all channels, on another transport, and what it does not name is new', async () => {
        await publisher.publish('roam.a', 1);
        const stream = transports['event stream of fetch'](hub.url, { channels: ['roam.*'], cursor: 'oldest' });
        assert.deepEqual((await stream.take(1)).map(({ data }) => data), [1]);
        await until(() => stream.cursor?.includes('roam.a~'), 'a cursor behind the event');
        stream.cut();
        await publisher.publish('roam.a', 2);
        await publisher.publish('roam.b', 3);
        const { events } = await get(`poll?channel=roam.*&cursor=${stream.cursor}`);
        assert.deepEqual(events.map(({ channel, data }) => [channel, data]).sort(), [['roam.a', 2], ['roam.b', 3]]);
    });

    test('presence: members join and leave as events, and who polls stays for a while', async () => {
        const observer = await connect('?name=olga');
        await observer.tell({ subscribe: 'room' });
        const { members, cursor } = await observer.tell({ presence: 'room' });
        assert.deepEqual(members, [{ id: 'olga', connections: 1 }]);
        await observer.tell({ subscribe: '@presence/room', cursor });
        const [ann, twin] = [await connect('?name=ann'), await connect('?name=ann')];
        await ann.tell({ subscribe: 'room' });
        assert.deepEqual((await observer.next()).data, { join: 'ann' });
        await twin.tell({ subscribe: 'room' });
        await subscribe('room', {});
        const present = await get('presence?channel=room');
        assert.deepEqual([present.count, present.connections, present.anonymous], [2, 4, 1]);
        await get('poll?channel=room&name=polly');
        assert.deepEqual((await observer.next()).data, { join: 'polly' });
        ann.cut();
        await twin.tell({ unsubscribe: 'room' });
        const left = await observer.next();
        assert.deepEqual([left.data, left.key], [{ leave: 'ann' }, 'ann']);
        const after = await get('presence?channel=room');
        assert.deepEqual(after.members.map(({ id }) => id).sort(), ['olga', 'polly']);
    });

    test('history: forwards, backwards and bounded, the same over WebSocket and GET', async () => {
        await publisher.burst('past', 1, 30);
        const client = await connect();
        for (const [query, expected, next] of [
            [{}, numbers(1, 30), {}],
            [{ limit: 5 }, numbers(26, 30), { next_to: 25 }],
            [{ limit: 5, reverse: true }, numbers(26, 30).reverse(), { next_to: 25 }],
            [{ from: 10, to: 12 }, [10, 11, 12], {}],
            [{ from: 10, limit: 4 }, numbers(10, 13), { next_from: 14 }],
            [{ to: 3, reverse: true }, [3, 2, 1], {}],
            [{ from: 31 }, [], {}],
        ]) {
            const { reverse, ...range } = query;
            const parameters = new URLSearchParams({ channel: 'past', ...range, ...(reverse && { reverse: 1 }) });
            const answer = await get(`history?${parameters}`);
            const { id, place, ...reply } = await client.tell({ history: 'past', ...query });
            assert.deepEqual(reply, answer, JSON.stringify(query));
            assert.deepEqual(offsets(answer.events), expected, JSON.stringify(query));
            assert.deepEqual([answer.first, answer.last, answer.next_from, answer.next_to], [1, 30, next.next_from, next.next_to]);
        }
        // The cursor of an answer goes on behind it.
        const { cursor } = await get('history?channel=past&limit=1');
        await publisher.publish('past', 'next');
        assert.deepEqual(offsets((await get(`poll?channel=past&cursor=${cursor}`)).events), [31]);
    });

    test('publish: a retry with its id is known, over WebSocket and POST', async () => {
        const client = await connect();
        const publish = { publish: 'once', data: 1, message_id: 'first' };
        const first = await client.tell(publish);
        assert.deepEqual([first.offset, first.duplicate], [1, undefined]);
        const again = await client.tell(publish);
        assert.deepEqual([again.offset, again.duplicate, again.cursor], [1, true, first.cursor]);
        const send = async (query, headers) =>
            (await fetch(`${hub.url}/publish?channel=once${query}`, { method: 'POST', headers, body: 'x' })).json();
        assert.deepEqual((await send('&message_id=first')).duplicate, true);
        assert.equal((await send('&message_id=second')).offset, 2);
        const known = await send('', { 'Idempotency-Key': 'second' });
        assert.deepEqual([known.offset, known.duplicate], [2, true]);
        // Another client's id is another id.
        const ann = await connect('?name=ann');
        assert.equal((await ann.tell(publish)).offset, 3);
        assert.equal((await get('history?channel=once')).last, 3);
    });

    test('binary: frames carry bytes both ways, and other transports base64', async () => {
        const bytes = Buffer.concat([Buffer.from('\n\0'), randomBytes(70_000)]);
        const client = await subscribe('bytes', {});
        const stream = transports['event stream of fetch'](hub.url, { channels: ['bytes'] });
        await stream.opened;
        const published = await client.tell({ publish: 'bytes', key: 'cam' }, bytes);
        assert.equal(published.offset, 1);
        await client.tell({ publish: 'bytes', data64: 'AAE=' });
        await post(hub.url, 'bytes', Buffer.alloc(0), { type: 'application/octet-stream' });
        const events = await client.take(3);
        assert.ok(events.every(({ isBinary }) => isBinary));
        const expected = [bytes.toString('base64'), 'AAE=', ''];
        assert.deepEqual(events.map(({ data64 }) => data64), expected);
        assert.equal(events[0].key, 'cam');
        assert.deepEqual((await stream.take(3)).map(({ data64 }) => data64), expected);
        const { events: polled } = await get('poll?channel=bytes&cursor=oldest');
        assert.deepEqual(polled.map(({ data64 }) => data64), expected);
        stream.cut();
    });

    describe('to one who is too slow for what is kept', () => {
        async function outrun(flags) {
            const small = await startHub({ events: 10 }, flags);
            const writer = await startPublisher(small.url);
            const client = await subscribe('fast', { credit: 1 }, connect('', small.url));
            await writer.publish('fast', { n: 1 });
            assert.deepEqual(offsets(await client.take(1)), [1]);
            for (const n of numbers(2, 100)) await writer.publish('fast', { n });
            return { client, stop: () => (writer.close(), small.stop()) };
        }

        test('a gap notice tells exactly what is missing, and the counters agree', async () => {
            const { client, stop } = await outrun([]);
            await client.tell({ credit: 'fast', flushes: 5 });
            let next = 2;
            const gaps = [];
            while (next <= 100) {
                const item = await client.next();
                assert.equal(item.gap ? item.from : item.offset, next);
                if (item.gap) gaps.push(item);
                next = (item.to ?? item.offset) + 1;
            }
            assert.deepEqual(gaps, [{ gap: 'fast', from: gaps[0].from, to: 90, reason: 'retention' }]);
            const missed = 91 - gaps[0].from;
            const { delivered, conflated, skipped, filtered } = await client.tell({ stats: 'fast' });
            assert.deepEqual([delivered, conflated, skipped, filtered], [100 - missed, 0, missed, 0]);
            await stop();
        });

        test('the connection ends with 4001 where the channel says so', async () => {
            const { client, stop } = await outrun(['--close-on-overrun']);
            client.tell({ credit: 'fast', flushes: 5 });
            let item = await client.next();
            while (!item.gap) item = await client.next();
            assert.equal(item.to, 90);
            await assert.rejects(client.next(), /4001 events were lost/);
            await stop();
        });
    });

    test('a server that stops does not wait for those who may poll again, nor for retries', async () => {
        const stopped = await startHub();
        await fetch(`${stopped.url}/poll?channel=room&name=polly`);
        await fetch(`${stopped.url}/publish?channel=room&message_id=first`, { method: 'POST', body: 'x' });
        const { members } = await (await fetch(`${stopped.url}/presence?channel=room`)).json();
        assert.deepEqual(members.map(({ id }) => id), ['polly']);
        await stopped.stop();
    });

    test('a channel on a timer collects and then passes on every event in order', async () => {
        const timed = await startHub({}, ['--publish-interval', '50']);
        const writer = await startPublisher(timed.url);
        const client = await subscribe('timed', {}, connect('', timed.url));
        await writer.burst('timed', 1, 200);
        assert.deepEqual(offsets(await client.take(200)), numbers(1, 200));
        writer.close();
        await timed.stop();
    });

    test('refusals name the limit', async () => {
        const client = await connect();
        await client.tell({ subscribe: 'limits', keys: [] });
        const long = 'k'.repeat(256);
        const refused = [
            [{ subscribe: 'a', mode: 'newest' }, 'unsupported', /every and latest/],
            [{ subscribe: 'a', rate: 100_000 }, 'bad_rate', /200 per second/],
            [{ subscribe: 'a', interval: 3_600_000 }, 'bad_rate', /60000 milliseconds/],
            [{ change: 'limits', rate: 0 }, 'bad_rate', /between 0\.017/],
            [{ subscribe: 'a', keys: numbers(1, 1001).map(String) }, 'too_many_keys', /1000/],
            [{ change: 'limits', add_keys: numbers(1, 1001).map(String) }, 'too_many_keys', /1000/],
            [{ change: 'limits', add_keys: [long] }, 'key_too_long', /255/],
            [{ subscribe: `${'a.'.repeat(16)}*` }, 'pattern_too_deep', /16/],
            [{ subscribe: 'a*' }, 'bad_pattern', /./],
            [{ publish: 'a', data: 1, message_id: 'm'.repeat(129) }, 'id_too_long', /128/],
            [{ publish: 'a', data: 1, key: long }, 'payload_too_large', /255/],
        ];
        for (const [command, code, limit] of refused) {
            const { error } = await client.tell(command);
            assert.equal(error?.code, code, JSON.stringify(command).slice(0, 80));
            assert.match(error.message, limit);
        }
        client.socket.send(JSON.stringify({ subscribe: 'a', id: 'i'.repeat(200) }));
        const { error } = await client.next();
        assert.equal(error.code, 'id_too_long');
        assert.match(error.message, /128/);
        for (const [query, status, code, limit] of [
            ['poll?channel=a&mode=newest', 501, 'unsupported', /every and latest/],
            ['sse?channel=a&rate=100000', 400, 'bad_rate', /200 per second/],
            [`poll?channel=a&keys=${numbers(1, 1001)}`, 429, 'too_many_keys', /1000/],
            [`poll?channel=${'a.'.repeat(16)}*`, 400, 'pattern_too_deep', /16/],
            [`publish?channel=a&message_id=${'m'.repeat(129)}`, 400, 'id_too_long', /128/],
            [`poll?channel=${numbers(1, 1001)}`, 429, 'too_many_channels', /1000/],
        ]) {
            const method = query.startsWith('publish') ? 'POST' : 'GET';
            const response = await fetch(`${hub.url}/${query}`, { method });
            const { error } = await response.json();
            assert.deepEqual([response.status, error.code], [status, code], query.slice(0, 60));
            assert.match(error.message, limit);
        }
        const crowd = await connect();
        for (const n of numbers(1, 100)) await crowd.tell({ subscribe: `crowd${n}.*` });
        const { error: full } = await crowd.tell({ subscribe: 'one.more.*' });
        assert.deepEqual([full.code, /100/.test(full.message)], ['too_many_patterns', true]);
    });
});
