// The examples with pages, in Chromium: chat, game and slow_client.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { numbers } from './support/delivery_cases.mjs';
import { startHub } from './support/open_hub.mjs';
import { startExample } from './support/program.mjs';
import { startPublisher } from './support/publisher.mjs';
import { startProxy } from './support/tcp_proxy.mjs';
import { until, within } from './support/wait.mjs';

for (const name of ['chat', 'game', 'slow_client'])
    test(`${name} ends by itself after the seconds that it was given`, async () => {
        const program = await startExample(name, ['--port', '0', '--seconds', '0.2']);
        assert.deepEqual(await within(program.exited, `end of ${name}`), { code: 0, signal: null });
    });

describe('examples in Chromium', { skip: noBrowser, timeout: 120_000 }, () => {
    let browser;
    before(async () => {
        browser = await startBrowser();
    });
    after(() => browser?.close());

    describe('chat', () => {
        let chat;
        let proxy;
        const pages = [];
        before(async () => {
            chat = await startExample('chat', ['--port', '0']);
            proxy = await startProxy(chat.port);
        });
        after(async () => {
            await Promise.all(pages.map(({ page }) => page.close()));
            await proxy?.close();
            await chat?.stop();
        });

        async function enter(name, port = chat.port) {
            const opened = await browser.open(`http://127.0.0.1:${port}/`);
            pages.push(opened);
            const { page } = opened;
            await page.fill('#name', name);
            await page.click('#door button');
            await page.waitForSelector('#members li');
            return opened;
        }
        const say = async (page, text) => {
            await page.fill('#text', text);
            await page.click('#say button');
        };
        const texts = (page) => page.$$eval('#messages li:not(.pending)', (items) => items.map((item) => item.lastChild.textContent));
        const sees = (page, expected) =>
            until(async () => JSON.stringify(await texts(page)) === JSON.stringify(expected), `${expected}`).catch(async () =>
                assert.deepEqual(await texts(page), expected));
        const present = (page, expected) =>
            until(async () => `${await page.$$eval('#members li', (all) => all.map((each) => each.textContent))}` === `${expected}`,
                `${expected} in the room`);

        test('visitors talk, see each other come and go, and lose and repeat nothing over a cut', async () => {
            const ann = await enter('ann');
            for (const n of numbers(1, 25)) await say(ann.page, `old ${n}`);
            await sees(ann.page, numbers(1, 25).map((n) => `old ${n}`));

            const bob = await enter('bob', proxy.port);
            await present(bob.page, ['ann', 'bob (you)']);
            await present(ann.page, ['ann (you)', 'bob']);
            await sees(bob.page, numbers(6, 25).map((n) => `old ${n}`));
            await bob.page.click('#older');
            const said = numbers(1, 25).map((n) => `old ${n}`);
            await sees(bob.page, said);
            assert.equal(await bob.page.isVisible('#older'), false);

            await say(bob.page, 'hello');
            await sees(ann.page, [...said, 'hello']);
            proxy.cut();
            await say(bob.page, 'sent while it was cut');
            await say(ann.page, 'said meanwhile');
            for (const { page } of [ann, bob])
                await until(async () => (await page.$$('#messages li:not(.pending)')).length >= 28, 'all messages');
            assert.deepEqual(await texts(bob.page), await texts(ann.page));
            assert.deepEqual((await texts(bob.page)).slice(25).sort(), ['hello', 'said meanwhile', 'sent while it was cut']);
            await present(bob.page, ['ann', 'bob (you)']);

            await ann.page.close();
            await present(bob.page, ['bob (you)']);
            assert.deepEqual(ann.faults, []);
            assert.ok(bob.faults.every((fault) => fault.includes('WebSocket connection')), `${bob.faults}`);
        });
    });

    test('game: a player sees others, and the cells that it watches move with it', async () => {
        const game = await startExample('game', ['--port', '0', '--bots', '3000']);
        const { page, faults } = await browser.open(game.url);
        const text = (id) => page.textContent(`#${id}`);
        await until(async () => Number(await text('near')) > 50, 'others');
        assert.equal(await text('cells'), '49 of 400');
        const where = await text('where');
        await page.keyboard.down('ArrowUp');
        // Across a cell and back into sight of what is new: the world has no edge.
        await until(async () => {
            const [x, y] = (await text('where')).split(', ').map(Number);
            const [fromX, fromY] = where.split(', ').map(Number);
            return Math.hypot(x - fromX, y - fromY) > 250;
        }, 'a player that moves');
        await page.keyboard.up('ArrowUp');
        assert.equal(await text('cells'), '49 of 400');
        assert.ok(Number(await text('near')) > 50, 'the new cells have players');
        assert.deepEqual(faults, []);
        await page.close();
        await game.stop();
    });

    test('slow_client: the newest of each key stays fresh where every event piles up', async () => {
        const program = await startExample('slow_client', ['--port', '0', '--rate', '2000']);
        const { page, faults } = await browser.open(program.url);
        const figure = async (lane, field) => (await page.textContent(`#${lane} [data-field=${field}]`)).replaceAll(',', '');
        const waiting = async (lane) => Number(await figure(lane, 'waiting'));
        await until(async () => (await waiting('every')) > 2000, 'a backlog');
        const before = await waiting('every');
        await until(async () => (await waiting('every')) > before + 2000, 'a growing backlog');
        assert.ok((await waiting('latest')) <= 12, 'one flush of twelve symbols at most');
        const age = async (lane) => Number.parseFloat(await figure(lane, 'age')) * ((await figure(lane, 'age')).endsWith('ms') ? 0.001 : 1);
        assert.ok((await age('latest')) < (await age('every')), 'the newest are fresher');
        const [events, standsFor] = [Number(await figure('latest', 'received')), Number(await figure('latest', 'stands_for'))];
        assert.ok(events > 0 && standsFor > 5 * events, `${events} events stand for ${standsFor}`);
        assert.deepEqual(faults, []);
        await page.close();
        await program.stop();
    });

    test('live_socket: patterns, key sets and publishes survive cuts, and a closed one is over', async () => {
        const [host, hub] = await Promise.all([startExample('slow_client', ['--port', '0', '--rate', '1']), startHub()]);
        const publisher = await startPublisher(hub.url);
        const proxy = await startProxy(hub.port);
        const { page } = await browser.open(host.url);
        const got = (name, count) =>
            until(async () => (await page.evaluate((name) => globalThis.got[name].length, name)) >= count, `${count} ${name}`)
                .then(() => page.evaluate((name) => globalThis.got[name], name));
        const opened = (count) => until(() => page.evaluate((count) => globalThis.openings >= count, count), 'a subscription');
        await page.evaluate(async (url) => {
            const { LiveSocket } = await import('/support/live_socket.js');
            Object.assign(globalThis, { got: { all: [], one: [], keys: [], failed: [] }, openings: 0 });
            const keep = (list, text) => ({
                event: (event) => list.push(text(event)), subscribed: () => ++globalThis.openings,
            });
            globalThis.live = new LiveSocket(`${url}/ws`);
            live.subscribe('p.*', {}, keep(got.all, ({ channel, offset }) => `${channel} ${offset}`));
            live.subscribe('p.a', {}, keep(got.one, ({ offset }) => offset));
            live.subscribe('k', { mode: 'latest', keys: ['x'] }, keep(got.keys, ({ key, data }) => `${key}${data}`));
            live.subscribe('p..', {}, { failed: ({ code }) => got.failed.push(code) });
        }, proxy.url);
        assert.deepEqual(await got('failed', 1), ['bad_channel_name']);
        await opened(2);
        await publisher.publish('p.a', 1);
        assert.deepEqual(await got('all', 1), ['p.a 1']);
        assert.deepEqual(await got('one', 1), [1]);
        await publisher.publish('k', 1, { key: 'x' });
        await page.evaluate(() => live.change('k', { add_keys: ['y'], remove_keys: ['x'] }));
        await publisher.publish('k', 2, { key: 'y' });
        assert.deepEqual(await got('keys', 2), ['x1', 'y2']);

        proxy.cut();
        await publisher.publish('p.a', 2);
        await publisher.publish('p.new', 1);
        await publisher.publish('k', 3, { key: 'x' });
        await publisher.publish('k', 4, { key: 'y' });
        const { offset } = await page.evaluate(() => live.command({ publish: 'p.a', data: 'after the cut' }));
        assert.equal(offset, 3);
        assert.deepEqual((await got('all', 4)).sort(), ['p.a 1', 'p.a 2', 'p.a 3', 'p.new 1']);
        assert.deepEqual(await got('one', 3), [1, 2, 3]);
        assert.deepEqual(await got('keys', 3), ['x1', 'y2', 'y4']);
        const refused = await page.evaluate(async () => {
            live.close();
            return live.command({ history: 'p.a' }).catch(({ message }) => message);
        });
        assert.equal(refused, 'the connection was closed');
        await page.close();
        publisher.close();
        await proxy.close();
        await Promise.all([hub.stop(), host.stop()]);
    });
});
