// What every transport promises, as tests of one transport (docs: delivery guarantees).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { transports } from './collectors.mjs';
import { startHub } from './open_hub.mjs';
import { post, startPublisher } from './publisher.mjs';
import { startProxy } from './tcp_proxy.mjs';
import { until } from './wait.mjs';

export const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const offsets = (events) => events.map(({ offset }) => offset);

/// Reads until an event has the offset; gives the ranges of events and gaps, which must be in order
/// and leave nothing out.
async function coverage(collector, first, last) {
    const found = { events: 0, gaps: 0 };
    for (let next = first; next <= last; ) {
        const item = await collector.next();
        if (item.gap === undefined) {
            assert.equal(item.offset, next);
            ++next;
            ++found.events;
        } else {
            assert.equal(item.from, next);
            assert.equal(item.reason, 'retention');
            next = item.to + 1;
            ++found.gaps;
        }
    }
    return found;
}

export function deliveryCases(name) {
    const connect = transports[name];

    describe(name, () => {
        let hub;
        let publisher;
        let channelCount = 0;
        const newChannels = (count = 1) => numbers(1, count).map(() => `c${++channelCount}`);
        before(async () => {
            hub = await startHub();
            publisher = await startPublisher(hub.url);
        });
        after(async () => {
            publisher?.close();
            await hub?.stop();
        });

        test('a subscriber gets live events in order', async () => {
            const channels = newChannels();
            await publisher.publish(channels[0], 'before');
            const collector = connect(hub.url, { channels });
            await collector.opened;
            await publisher.burst(channels[0], 1, 300);
            const events = await collector.take(300);
            assert.deepEqual(offsets(events), numbers(2, 301));
            assert.deepEqual(events.map(({ data }) => data.n), numbers(1, 300));
            collector.cut();
            assert.deepEqual(collector.drain(), []);
        });

        test('a subscriber gets every kind of payload as it was published', async () => {
            const channels = newChannels();
            const bytes = randomBytes(3000);
            const collector = connect(hub.url, { channels });
            await collector.opened;
            await post(hub.url, channels[0], '{ "price" : 1.10,\n "deep":[[ ]] }', { type: 'application/json' });
            await post(hub.url, channels[0], 'line\r\none\n\n"two" \u{1f600} \\ \u0001', { key: 'k/ö"\n' });
            await post(hub.url, channels[0], bytes, { type: 'application/octet-stream' });
            await post(hub.url, channels[0], '');
            const [json, text, binary, empty] = await collector.take(4);
            assert.deepEqual(json.data, { price: 1.1, deep: [[]] });
            assert.equal(text.data, 'line\r\none\n\n"two" \u{1f600} \\ \u0001');
            assert.equal(text.key, 'k/ö"\n');
            assert.deepEqual(Buffer.from(binary.data64, 'base64'), bytes);
            assert.equal(empty.data, '');
            collector.cut();
        });

        test('a subscriber resumes with its cursor after it left', async () => {
            const channels = newChannels();
            const first = connect(hub.url, { channels });
            await first.opened;
            await publisher.burst(channels[0], 1, 20);
            await first.take(20);
            first.cut();
            await publisher.burst(channels[0], 21, 40);
            const second = connect(hub.url, { channels, cursor: first.cursor });
            await publisher.burst(channels[0], 41, 60);
            assert.deepEqual(offsets(await second.take(40)), numbers(21, 60));
            second.cut();
        });

        test('a subscriber whose network breaks again and again loses and doubles nothing', async () => {
            const channels = newChannels();
            const proxy = await startProxy(hub.port);
            let collector = connect(proxy.url, { channels });
            await collector.opened;
            const published = publisher.run(channels[0]);
            const events = [];
            for (let cut = 1; cut <= 6; ++cut) {
                events.push(...(await collector.take(40)));
                if (cut === 6) publisher.stop();
                proxy.cut();
                collector.cut();
                events.push(...collector.drain());
                collector = connect(proxy.url, { channels, cursor: collector.cursor });
            }
            const last = await published;
            events.push(...(await collector.take(last - events.length)));
            collector.cut();
            assert.deepEqual(offsets(events), numbers(1, last));
            await proxy.close();
        });

        test('a subscriber gets the newest event of each key, then what comes', async () => {
            const channels = newChannels();
            for (const [n, key] of ['a', 'b', 'a', 'c', 'b'].entries())
                await publisher.publish(channels[0], n, { key });
            const collector = connect(hub.url, { channels, snapshot: true });
            await collector.opened;
            const snapshot = await collector.take(3);
            assert.deepEqual(snapshot.map(({ key, offset }) => [key, offset]), [['a', 3], ['c', 4], ['b', 5]]);
            await publisher.publish(channels[0], 'live', { key: 'a' });
            const [live] = await collector.take(1);
            assert.deepEqual([live.offset, live.data], [6, 'live']);
            collector.cut();
        });

        test('a subscriber asks for all that is kept', async () => {
            const channels = newChannels();
            await publisher.burst(channels[0], 1, 10);
            const collector = connect(hub.url, { channels, cursor: 'oldest' });
            assert.deepEqual(offsets(await collector.take(10)), numbers(1, 10));
            collector.cut();
        });

        test('one connection carries a hundred channels', async () => {
            const channels = newChannels(100);
            const collector = connect(hub.url, { channels });
            await collector.opened;
            const rounds = async (first, last) => {
                for (let n = first; n <= last; ++n)
                    await Promise.all(channels.map((channel) => publisher.publish(channel, { n })));
            };
            const byChannel = (events) =>
                channels.map((channel) => events.filter((event) => event.channel === channel).map((e) => e.offset));
            await rounds(1, 5);
            assert.deepEqual(byChannel(await collector.take(500)), channels.map(() => numbers(1, 5)));
            // EventSource tells its page no last event ID that came after the last message.
            if (name.includes('EventSource')) return collector.cut();
            await until(() => collector.cursor.match(/-5(!|$)/g)?.length === 100, 'a cursor over all events');
            collector.cut();
            await rounds(6, 8);
            const again = connect(hub.url, { channels, cursor: collector.cursor });
            assert.deepEqual(byChannel(await again.take(300)), channels.map(() => numbers(6, 8)));
            again.cut();
        });

        test('two hundred connections get the same events', async () => {
            const channels = newChannels();
            const collectors = numbers(1, 200).map(() => connect(hub.url, { channels, interval: 400 }));
            await Promise.all(collectors.map(({ opened }) => opened));
            await publisher.burst(channels[0], 1, 4);
            for (const collector of collectors) {
                assert.deepEqual(offsets(await collector.take(4)), numbers(1, 4));
                collector.cut();
            }
        });

        test('events arrive whole over a network that drips', async () => {
            const channels = newChannels();
            const proxy = await startProxy(hub.port);
            proxy.drip(3);
            const collector = connect(proxy.url, { channels });
            await collector.opened;
            await publisher.burst(channels[0], 1, 20, 'p\u00e4dding');
            const events = await collector.take(20);
            assert.deepEqual(offsets(events), numbers(1, 20));
            assert.ok(events.every(({ data }) => data.padding === 'p\u00e4dding'));
            collector.cut();
            await proxy.close();
        });
    });

    describe(`${name}, when events are gone`, () => {
        const channels = ['ticks'];

        test('a cursor older than what is kept gets a gap, the newest event, then what comes', async () => {
            const hub = await startHub({ events: 10 });
            const publisher = await startPublisher(hub.url);
            const first = connect(hub.url, { channels });
            await first.opened;
            await publisher.burst('ticks', 1, 5);
            await first.take(5);
            first.cut();
            await publisher.burst('ticks', 6, 50);
            const second = connect(hub.url, { channels, cursor: first.cursor });
            assert.deepEqual(await second.next(), { gap: 'ticks', from: 6, to: 49, reason: 'retention' });
            assert.deepEqual(offsets(await second.take(1)), [50]);
            await publisher.burst('ticks', 51, 53);
            assert.deepEqual(offsets(await second.take(3)), [51, 52, 53]);
            second.cut();
            const oldest = connect(hub.url, { channels, cursor: 'oldest' });
            assert.deepEqual(offsets(await oldest.take(10)), numbers(44, 53));
            oldest.cut();
            publisher.close();
            await hub.stop();
        });

        test('a cursor of a server that is gone gets a gap, the newest event, then what comes', async () => {
            const gone = await startHub();
            const proxy = await startProxy(gone.port);
            const first = connect(proxy.url, { channels });
            await first.opened;
            for (let n = 1; n <= 5; ++n) await post(gone.url, 'ticks', { n });
            await first.take(5);
            await gone.kill();
            first.cut();

            const hub = await startHub();
            proxy.target(hub.port);
            for (let n = 1; n <= 3; ++n) await post(hub.url, 'ticks', { n });
            const second = connect(proxy.url, { channels, cursor: first.cursor });
            assert.deepEqual(await second.next(), { gap: 'ticks', from: 1, to: 2, reason: 'epoch' });
            assert.deepEqual(offsets(await second.take(1)), [3]);
            await post(hub.url, 'ticks', { n: 4 });
            assert.deepEqual(offsets(await second.take(1)), [4]);
            const resumed = connect(proxy.url, { channels, cursor: second.cursor });
            await post(hub.url, 'ticks', { n: 5 });
            assert.deepEqual(offsets(await resumed.take(1)), [5]);
            second.cut();
            resumed.cut();
            await proxy.close();
            await hub.stop();
        });

        // 9 MB are more than the kernel takes in for a reader that stands still.
        const padding = 'x'.repeat(30_000);
        const eventCount = 300;
        for (const [what, keptBytes] of [['gets everything later', 64 << 20], ['gets gaps and what is kept', 1 << 20]]) {
            test(`a reader that stands still ${what}`, async () => {
                const hub = await startHub({ bytes: keptBytes });
                const publisher = await startPublisher(hub.url);
                const proxy = await startProxy(hub.port);
                const collector = connect(proxy.url, { channels });
                await collector.opened;
                proxy.stall();
                await publisher.burst('ticks', 1, eventCount, padding);
                proxy.resume();
                const found = await coverage(collector, 1, eventCount);
                assert.equal(found.gaps > 0, keptBytes < eventCount * padding.length, JSON.stringify(found));
                collector.cut();
                publisher.close();
                await proxy.close();
                await hub.stop();
            });
        }
    });
}
