import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { deliveryCases, numbers } from './support/delivery_cases.mjs';
import { Inbox } from './support/inbox.mjs';
import { startHub } from './support/open_hub.mjs';
import { post } from './support/publisher.mjs';
import { within } from './support/wait.mjs';

deliveryCases('WebSocket of ws');

describe('the subscription protocol over ws', () => {
    let hub;
    before(async () => {
        hub = await startHub();
    });
    after(() => hub?.stop());

    /// A connected socket with an inbox of [message, isBinary] or, for commands, of parsed messages.
    async function open(path, { protocol, isRaw } = {}) {
        const socket = new WebSocket(hub.url.replace('http', 'ws') + path, protocol);
        const inbox = new Inbox();
        socket.on('message', (data, isBinary) => inbox.push(isRaw ? [data, isBinary] : JSON.parse(data)));
        socket.on('close', (code, reason) => inbox.end(`${code} ${reason}`));
        await within(once(socket, 'open'), 'open WebSocket');
        const tell = (command) => {
            socket.send(JSON.stringify(command));
            return inbox.next();
        };
        return { socket, inbox, tell };
    }

    test('the server chooses its subprotocol among those offered', async () => {
        const { socket } = await open('/ws', { protocol: ['other', 'livetape.v1.json'] });
        assert.equal(socket.protocol, 'livetape.v1.json');
        socket.terminate();
    });

    test('a client subscribes, publishes, leaves, and comes back with the cursor it was given', async () => {
        const { socket, inbox, tell } = await open('/ws');
        const subscribed = await tell({ subscribe: 'chat', id: 1 });
        assert.deepEqual(subscribed, { subscribed: 'chat', id: 1, cursor: subscribed.cursor, recovered: false });
        socket.send('{"publish":"chat","id":"two","data":{"price":1.50},"key":"k"}');
        const both = [await inbox.next(), await inbox.next()];
        const published = both.find((each) => each.published);
        assert.deepEqual(published, { published: 'chat', id: 'two', offset: 1, cursor: published.cursor });
        assert.deepEqual(both.find((each) => each.channel), { channel: 'chat', offset: 1, key: 'k', data: { price: 1.5 } });
        const left = await tell({ unsubscribe: 'chat', id: 3 });
        assert.deepEqual(left, { unsubscribed: 'chat', id: 3, cursor: published.cursor });
        assert.equal((await tell({ publish: 'chat', data: 'missed' })).offset, 2);
        const again = await tell({ subscribe: 'chat', id: 4, cursor: left.cursor });
        assert.deepEqual(again, { subscribed: 'chat', id: 4, cursor: left.cursor, recovered: true });
        assert.equal((await inbox.next()).data, 'missed');
        socket.terminate();
    });

    test('a raw path carries payloads alone, text as text and bytes as bytes', async () => {
        const bytes = randomBytes(70_000);
        const { socket, inbox } = await open('/ws/raw/bare', { isRaw: true });
        await post(hub.url, 'bare', { n: 1 });
        await post(hub.url, 'bare', 'text');
        await post(hub.url, 'bare', bytes, { type: 'application/octet-stream' });
        const got = [await inbox.next(), await inbox.next(), await inbox.next()];
        assert.deepEqual(got.map(([data]) => data), [Buffer.from('{"n":1}'), Buffer.from('text'), bytes]);
        assert.deepEqual(got.map(([, isBinary]) => isBinary), [false, false, true]);
        socket.terminate();
    });

    test('a raw path has no place for a gap and closes with 4001', async () => {
        const { socket, inbox } = await open('/ws/raw/bare?cursor=abc-1', { isRaw: true });
        await assert.rejects(inbox.next(), /4001 events were lost/);
        socket.terminate();
    });

    test('a message may come in fragments with a ping in between', async () => {
        const { socket, inbox } = await open('/ws');
        socket.send('{"publish":"fragments","id":1,"data":"h\u00f6', { fin: false });
        socket.ping('between');
        socket.send('h"}', { fin: true });
        const [answer] = await within(once(socket, 'pong'), 'pong');
        assert.equal(answer.toString(), 'between');
        assert.equal((await inbox.next()).offset, 1);
        const { events } = await (await fetch(`${hub.url}/poll?channel=fragments`)).json();
        assert.equal(events[0].data, 'h\u00f6h');
        socket.terminate();
    });

    test('the largest payload goes through', async () => {
        const data = 'x'.repeat((1 << 20) - 100);
        const { socket, inbox } = await open('/ws?channel=large');
        await inbox.next();
        socket.send(JSON.stringify({ publish: 'large', data }));
        const both = [await inbox.next(), await inbox.next()];
        assert.equal(both.find((each) => each.channel).data, data);
        socket.terminate();
    });

    test('a close is answered in kind', async () => {
        const { socket } = await open('/ws');
        socket.close(4000, 'enough');
        assert.equal((await within(once(socket, 'close'), 'close'))[0], 4000);
    });
});

test('a server that stops closes its WebSocket clients with 1001 and ends well', async () => {
    const hub = await startHub();
    const sockets = numbers(1, 50).map(() => new WebSocket(`${hub.url.replace('http', 'ws')}/ws?channel=a`));
    await Promise.all(sockets.map((socket) => within(once(socket, 'message'), 'subscription')));
    const closed = Promise.all(sockets.map((socket) => within(once(socket, 'close'), 'close')));
    await hub.stop();
    for (const [code, reason] of await closed) {
        assert.equal(code, 1001);
        assert.ok(reason.length > 5);
    }
});
