// The same cursor on one transport after another, while somebody publishes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { transports } from './support/collectors.mjs';
import { numbers } from './support/delivery_cases.mjs';
import { startHub } from './support/open_hub.mjs';
import { startPublisher } from './support/publisher.mjs';
import { seededRandom } from './support/random.mjs';
import { startProxy } from './support/tcp_proxy.mjs';
import { until } from './support/wait.mjs';

describe('switch of transport', () => {
    const random = seededRandom('switch of transport');
    let hub;
    let publisher;
    let proxy;
    before(async () => {
        hub = await startHub();
        publisher = await startPublisher(hub.url);
        proxy = await startProxy(hub.port);
    });
    after(async () => {
        publisher?.close();
        await proxy?.close();
        await hub?.stop();
    });

    /// Hops from transport to transport at random places; each event must come once, in order.
    async function hop(channel, first, hops) {
        const events = [];
        let cursor;
        let published;
        for (let i = 0; i < hops; ++i) {
            const name = i === 0 ? first : random.pick(Object.keys(transports));
            const collector = transports[name](proxy.url, { channels: [channel], cursor });
            if (i === 0) {
                await collector.opened;
                published = publisher.run(channel, { atATime: 2 });
            }
            events.push(...(await collector.take(1 + random.below(30))));
            if (random.below(3) === 0) proxy.cut();
            collector.cut();
            events.push(...collector.drain());
            cursor = collector.cursor;
        }
        publisher.stop();
        const last = await published;
        const collector = transports[first](hub.url, { channels: [channel], cursor });
        events.push(...(await collector.take(last - events.length)));
        collector.cut();
        assert.deepEqual(events.map(({ offset }) => offset), numbers(1, last));
        assert.deepEqual(events.map(({ data }) => data.n), numbers(1, last));
    }

    for (const [i, name] of Object.keys(transports).entries())
        test(`a client that begins on ${name} and hops a dozen times loses and doubles nothing`, () =>
            hop(`hop.${i}`, name, 12));

    test('a cursor over several channels goes from transport to transport', async () => {
        const channels = ['several.a', 'several.b', 'several.c'];
        const seen = new Map(channels.map((channel) => [channel, []]));
        let cursor = 'oldest';
        // An EventSource tells its page no last event ID that came after the last message.
        const names = Object.keys(transports).filter((name) => !name.startsWith('EventSource'));
        for (const [round, name] of [...names, ...names].entries()) {
            for (const channel of channels) await publisher.publish(channel, { round });
            const collector = transports[name](hub.url, { channels, cursor });
            for (const { channel, offset } of await collector.take(channels.length)) seen.get(channel).push(offset);
            const at = collector.cursor;
            const hasAll = () => collector.cursor.match(/-\d+(?=!|$)/g)?.every((o) => o === `-${round + 1}`);
            await until(hasAll, `a cursor over all events instead of ${at}`);
            collector.cut();
            cursor = collector.cursor;
        }
        for (const offsets of seen.values()) assert.deepEqual(offsets, numbers(1, 8));
    });
});
