// The examples that turn streams into others: trends, leaderboard and tickerplant, as programs that
// people start, over real connections.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { Inbox } from './support/inbox.mjs';
import { startExample } from './support/program.mjs';
import { post, startPublisher } from './support/publisher.mjs';
import { until, within } from './support/wait.mjs';

const build = process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../build/debug', import.meta.url));
const open = [];
afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each();
});

/// An example on a port of its own, which the test ends.
async function start(name, ...flags) {
    const example = await startExample(name, ['--port', '0', '--seconds', '120', ...flags]);
    open.push(() => example.stop());
    return example.url.replace(/\/$/, '');
}

/// All that comes of some channels or patterns; `by` gives the events of one channel.
async function follow(url, channels, query = '') {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/live/ws?channel=${channels}&${query}`);
    open.push(() => socket.terminate());
    const inbox = new Inbox();
    const events = [];
    socket.on('message', (data) => {
        const message = JSON.parse(data);
        if (message.error) inbox.end(message.error.message);
        if (message.channel === undefined) return;
        events.push(message);
        inbox.push(message);
    });
    await within(once(socket, 'open'), 'connection');
    return {
        events,
        by: (channel) => events.filter((event) => event.channel === channel),

        /// The next event that is as wanted.
        async next(isWanted, what) {
            for (;;) {
                const event = await inbox.next(what);
                if (isWanted(event)) return event;
            }
        },
    };
}

/// Runs an example that is expected to end by itself.
async function runToEnd(name, ...flags) {
    const child = spawn(join(build, 'examples', name), ['--port', '0', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, complaint, [status]] = await within(
        Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]), `end of ${name}`);
    return { said, complaint, status };
}

describe('examples of streams', () => {
    for (const name of ['trends', 'leaderboard', 'tickerplant']) {
        test(`${name} says where its page is and ends by itself`, async () => {
            const { said, complaint, status } = await runToEnd(name, '--seconds', '0.3');
            assert.match(said, new RegExp(`^${name}: http://127\\.0\\.0\\.1:\\d+/\n$`));
            assert.equal(complaint, '');
            assert.equal(status, 0);
        });

        test(`${name} serves its page and what the page needs`, async () => {
            const url = await start(name);
            const page = await (await fetch(`${url}/`)).text();
            const parts = [...page.matchAll(/(?:src|href)="([^":]+)"/g)].map(([, path]) => path);
            assert.ok(parts.length >= 2, page);
            for (const part of [...parts, '/support/live_socket.js']) {
                const response = await fetch(new URL(part, `${url}/`));
                assert.equal(response.status, 200, part);
                await response.arrayBuffer();
            }
        });
    }
});

describe('trends', () => {
    let folder;
    before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'livetape-trends-'));
    });
    after(() => rm(folder, { recursive: true }));

    const fileOf = async (...lines) => {
        const file = join(folder, 'posts.txt');
        await writeFile(file, lines.join('\n'));
        return file;
    };

    test('ranks the words and the authors of a file', async () => {
        const file = await fileOf(
            'ann\t100\tThe comet is wonderful, wonderful, wonderful', 'bob\t5\tI love the comet',
            'cid\t30\tthat comet', 'Nobody says much');
        const url = await start('trends', '--file', file, '--rate', '200');
        const seen = await follow(url, 'words,influencers,mood', 'snapshot=1');
        const { data } = await seen.next(({ channel, data }) => channel === 'mood' && data.posts >= 100, 'a hundred posts');
        assert.equal(data.authors, 3);
        assert.ok(data.mood > 0.3 && data.mood < 0.7, `mood ${data.mood}`);

        const board = await (await fetch(`${url}/live/poll?channel=words,influencers&snapshot=1`)).json();
        const ranks = (channel) => board.events.filter((event) => event.channel === channel)
            .sort((a, b) => a.key - b.key).map((event) => event.data);
        const [first, second] = ranks('words');
        assert.equal(first.name, 'comet');
        assert.ok(first.value > 2 * second.value, `${first.value} posts and ${second.value}`);
        assert.deepEqual(ranks('influencers').map(({ name }) => name), ['ann', 'cid', 'bob']);
    });

    test('tells the same of the same seed', async () => {
        const first = [];
        for (let run = 0; run < 2; ++run) {
            const url = await start('trends', '--seed', '7', '--rate', '500');
            const seen = await follow(url, 'posts', 'cursor=oldest');
            await seen.next(({ offset }) => offset === 50, 'fiftieth post');
            first.push(seen.events.slice(0, 50).map(({ data }) => data));
        }
        assert.deepEqual(first[0], first[1]);
    });

    const refuses = async (pattern, file) => {
        const { said, complaint, status } = await runToEnd('trends', '--seconds', '5', '--file', file);
        assert.equal(said, '');
        assert.match(complaint, pattern);
        assert.equal(complaint.trimEnd().split('\n').length, 1, `one sentence: ${complaint}`);
        assert.notEqual(status, 0);
    };
    test('says that its file is missing', () => refuses(/cannot open .*nowhere\.txt/, 'nowhere.txt'));
    test('says that its file is a folder', () => refuses(/cannot read /, folder));
    test('says that its file is empty', async () => refuses(/holds no posts/, await fileOf('', '')));
    test('says which line it cannot read', async () => {
        for (const line of ['ann\thello', 'ann\tmany\thello', 'ann\t-1\thello', '\t1\thello'])
            await refuses(/posts\.txt, line 2: expected/, await fileOf('fine', line));
    });
});

describe('leaderboard', () => {
    test('ranks players, gives each a channel, and ends sessions', async () => {
        const url = await start('leaderboard', '--bots', '0', '--gap', '0.5');
        const seen = await follow(url, 'board,sessions', 'mode=every');
        for (const [player, points] of [['ann', 50], ['bob', 30], ['ann', 7], ['bob', 40]])
            await post(`${url}/live`, 'plays', { player, points });
        await seen.next(({ key, data }) => key === '1' && data.name === 'bob' && data.value === 70, 'bob at the top');
        for (const [player, value] of [['ann', [2, 57]], ['bob', [2, 70]]]) {
            const over = await until(() => seen.by('sessions').find(({ key, data }) => key === player && !data.provisional),
                `end of the session of ${player}`);
            assert.deepEqual(over.data.value, value);
            assert.ok(over.data.end >= over.data.begin);
            const own = await (await fetch(`${url}/live/poll?channel=player.${player}&cursor=oldest`)).json();
            assert.deepEqual(own.events.map(({ data }) => data.value), [[1, value[1] - (player === 'ann' ? 7 : 40)], value, value]);
        }
        // Another session of the same player; the board adds up over all of them.
        await post(`${url}/live`, 'plays', { player: 'ann', points: 100 });
        await until(() => seen.by('board').some(({ key, data }) => key === '1' && data.name === 'ann' && data.value === 157), 'ann at the top');
        assert.deepEqual(seen.by('sessions').at(-1).data.value, [1, 100]);
    });

    test('counts plays that it cannot read, with an example', async () => {
        const url = await start('leaderboard', '--bots', '0');
        const seen = await follow(url, 'problems,board');
        const bad = [['unparsable', '[1]'], ['wrong_type', '{"player":"a b","points":1}'], ['wrong_type', '{"points":1}'],
            ['wrong_type', '{"player":"ann","points":-1}'], ['wrong_type', '{"player":"ann","points":1e9}'], ['unparsable', '"x"']];
        for (const [problem, body] of bad) {
            await post(`${url}/live`, 'plays', body, { type: 'application/json' });
            const { data } = await seen.next(({ channel }) => channel === 'problems', `report of ${body}`);
            assert.equal(data.problem, problem);
            assert.equal(data.example, body);
        }
        assert.deepEqual(seen.by('board'), []);
    });

    test('moves a board of bots', async () => {
        const url = await start('leaderboard', '--bots', '20', '--seed', '3');
        const seen = await follow(url, 'board', 'mode=latest&rate=10&snapshot=1');
        await seen.next(({ key }) => key === '10', 'tenth rank');
        const ranks = new Map(seen.events.map(({ key, data }) => [Number(key), data]));
        for (let rank = 2; rank <= 10; ++rank) assert.ok(ranks.get(rank).value <= ranks.get(rank - 1).value);
        assert.equal(new Set([...ranks.values()].map(({ name }) => name)).size, ranks.size);
    });

    test('lets nobody publish into what it works out', async () => {
        const url = await start('leaderboard', '--bots', '0');
        await assert.rejects(post(`${url}/live`, 'board', { name: 'me', value: 1e9 }), /not_authorized/);
    });
});

describe('tickerplant', () => {
    test('brings producers by POST and by WebSocket to whoever follows by pattern', async () => {
        const url = await start('tickerplant', '--producers', '0');
        const seen = await follow(url, 'ticks.*');
        const publisher = await startPublisher(`${url}/live`);
        open.push(() => publisher.close());
        // None of the three channels was there when the pattern was subscribed to.
        await post(`${url}/live`, 'ticks.AAA', { price: 1 });
        await publisher.publish('ticks.BBB', { price: 2 });
        await post(`${url}/live`, 'ticks.CCC', { price: 3 });
        await publisher.publish('ticks.BBB', { price: 4 });
        await until(() => seen.events.length === 4, 'four ticks');
        for (const [symbol, prices] of [['AAA', [1]], ['BBB', [2, 4]], ['CCC', [3]]])
            assert.deepEqual(seen.by(`ticks.${symbol}`).map(({ data }) => data.price), prices);

        const state = await follow(url, 'plant.state', 'snapshot=1');
        await state.next(({ data }) => data.producers === 3, 'three producers');
        for (const name of ['screen.AAA', 'ticks.A.B', 'plant.state', 'other'])
            await assert.rejects(post(`${url}/live`, name, 1), /not_authorized/);
    });

    test('copies slowly for screens, and from there more slowly for walls', async () => {
        const url = await start('tickerplant', '--producers', '0');
        const seen = await follow(url, 'ticks.*,screen.*,wall.*');
        const publisher = await startPublisher(`${url}/live`);
        open.push(() => publisher.close());
        const running = publisher.run('ticks.AAA', { atATime: 1 });
        await until(() => seen.by('wall.AAA').length >= 3, 'three on the wall');
        publisher.stop();
        const last = await running;
        // Everything ends with the same price, however much was left out on the way.
        await until(() => ['ticks', 'screen', 'wall'].every((each) => seen.by(`${each}.AAA`).at(-1).data.n === last), 'the last price everywhere');
        const [ticks, screen, wall] = ['ticks', 'screen', 'wall'].map((each) => seen.by(`${each}.AAA`).length);
        assert.equal(ticks, last);
        assert.ok(screen > wall && screen < ticks, `${ticks} ticks, ${screen} for screens, ${wall} for walls`);
    });

    test('shows also on the wall what was published only once', async () => {
        const url = await start('tickerplant', '--producers', '0');
        const seen = await follow(url, 'wall.*');
        await post(`${url}/live`, 'ticks.ONCE', { price: 1 });
        assert.deepEqual((await seen.next(() => true, 'price on the wall')).data, { price: 1 });
    });

    test('publishes by a timer when it is told to, all of an interval together', async () => {
        const url = await start('tickerplant', '--producers', '0');
        const state = await follow(url, 'plant.state', 'snapshot=1');
        const seen = await follow(url, 'ticks.*');
        const flushes = await follow(url, 'ticks.*', 'mode=latest');
        const publisher = await startPublisher(`${url}/live`);
        open.push(() => publisher.close());
        await publisher.publish('ticks.AAA', { n: 1 });
        await flushes.next(({ data }) => data.n === 1, 'tick at once');
        await post(`${url}/live`, 'plant.interval', 1000);
        await state.next(({ data }) => data.interval === 1000 && data.producers === 1, 'switch to the timer');

        await publisher.burst('ticks.AAA', 2, 101);
        await until(() => seen.events.length === 101, 'what was collected');
        assert.deepEqual(seen.events.map(({ data }) => data.n), Array.from({ length: 101 }, (_, i) => i + 1));
        // Whoever wants the newest only gets one of each flush; a second may have ended in the burst.
        await flushes.next(({ data }) => data.n === 101, 'newest tick');
        const counts = flushes.events.slice(1).map(({ count }) => count ?? 1);
        assert.ok(counts.length <= 2, `${counts}`);
        assert.equal(counts.reduce((all, each) => all + each), 100);

        await post(`${url}/live`, 'plant.interval', 99999); // over the limit
        await post(`${url}/live`, 'plant.interval', 'soon');
        await post(`${url}/live`, 'plant.interval', 0);
        const { data } = await state.next(() => true, 'switch back');
        assert.equal(data.interval, 0);
        await publisher.publish('ticks.AAA', { n: 102 });
        await flushes.next(({ data }) => data.n === 102, 'tick at once again');
    });
});

describe('pages of the examples of streams', { skip: noBrowser }, () => {
    let browser;
    before(async () => {
        browser = await startBrowser({ viewport: { width: 390, height: 800 } });
    });
    after(() => browser?.close());

    /// Opens the page of an example and gives the lines of the elements found.
    const show = async (name, ...flags) => {
        const { page, faults } = await browser.open(`${await start(name, ...flags)}/`);
        open.push(async () => {
            await page.close();
            assert.deepEqual(faults, []);
        });
        const lines = (what) => page.locator(what).allInnerTexts();
        return { page, lines };
    };
    const isNarrow = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

    test('trends shows both boards, the figures and some posts', async () => {
        const { page, lines } = await show('trends', '--rate', '200');
        for (const what of ['#words li', '#influencers li', '#posts li'])
            await until(async () => (await lines(what)).length >= 10, `ten of ${what}`);
        await until(async () => /^[−0]/.test(await page.innerText('#mood')), 'a mood');
        assert.ok(await isNarrow(page));
    });

    test('leaderboard follows whoever plays on the page', async () => {
        const { page, lines } = await show('leaderboard', '--bots', '3', '--gap', '1');
        await page.fill('#player', 'zoe');
        await page.click('text=+1000');
        await until(async () => (await lines('#board li')).some((line) => /zoe\s+1,000/.test(line)), 'zoe on the board');
        await until(async () => (await lines('#sessions tr')).some((line) => /#1.*1\s+1,000/.test(line)), 'a session that is over');
        assert.equal(await page.innerText('#followed'), 'zoe');
        assert.ok(await isNarrow(page));
    });

    test('tickerplant shows a producer that starts on the page in all lanes', async () => {
        for (const by of ['WebSocket', 'POST']) {
            const { page, lines } = await show('tickerplant', '--producers', '1');
            await page.selectOption('#by', by);
            await page.click('text=Start');
            await page.click('text=by timer, 250 ms');
            await until(async () => (await lines('tbody tr')).filter((line) => line.startsWith('ACME')).length === 3, `ACME by ${by}`);
            await page.waitForSelector('[data-interval="250"][aria-pressed="true"]');
            assert.equal(await page.innerText('#count'), '2');
            assert.ok(await isNarrow(page));
        }
    });
});
