// examples/market and examples/sensors: what they refuse, what they publish, how they end, and that
// a person can acknowledge an alert in their pages.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { Inbox } from './support/inbox.mjs';
import { startExample } from './support/program.mjs';
import { within } from './support/wait.mjs';

const build =
    process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../build/debug', import.meta.url));

/// Runs an example that is expected to refuse; gives what it said, which must be one sentence.
async function refusalOf(name, ...flags) {
    const child = spawn(join(build, 'examples', name), ['--port', '0', ...flags], {
        stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [said, [status]] = await within(
        Promise.all([text(child.stderr), once(child, 'exit')]),
        `refusal of ${name}`,
    );
    assert.equal(status, 1);
    assert.equal(said.trimEnd().split('\n').length, 1, `one sentence: ${said}`);
    return said;
}

/// A WebSocket on which commands are sent and messages wait to be looked at.
async function connect(url) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}live/ws`, 'livetape.v1.json');
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.push(JSON.parse(data)));
    socket.on('close', (code) => inbox.end(code));
    await within(once(socket, 'open'), 'WebSocket');
    return {
        send: (command) => socket.send(JSON.stringify(command)),
        close: () => socket.close(),

        /// The next message that a condition holds for.
        async find(condition, what) {
            for (;;) {
                const message = await inbox.next(what);
                if (condition(message)) return message;
            }
        },
    };
}

const alertThat = (state, by) => ({ channel, data }) =>
    channel === 'alerts' && data.state === state && data.acknowledged_by === by;

/// Waits for an alert, acknowledges it, and waits until everybody is told so.
async function acknowledgeOne(live) {
    live.send({ subscribe: 'alerts', cursor: 'oldest' });
    const alert = await live.find(alertThat('firing', undefined), 'alert');
    assert.match(alert.data.severity, /^(notice|warning|critical)$/);
    assert.equal(alert.key, alert.data.id);
    assert.ok(alert.data.since <= alert.data.time && alert.data.text.length > 0);
    live.send({
        publish: 'acknowledgements', data: { id: alert.data.id, who: 'anna' }, id: 1,
    });
    const seen = await live.find(alertThat('firing', 'anna'), 'acknowledged alert');
    assert.equal(seen.data.id, alert.data.id);
}

let folder;
before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'livetape-analytics-'));
});
after(() => rm(folder, { recursive: true }));

async function fileOf(name, content) {
    const file = join(folder, name);
    await writeFile(file, content);
    return file;
}

/// Trades that begin calmly and then fall, so that a portfolio loses: one each second.
function tradesFile() {
    const trade = (_, i) => {
        const price = i < 60 ? 100 + 0.25 * (i % 2) : 95;
        return [price.toFixed(2), '2', 1762795200 + i, i % 2 ? 'b' : 's', 'm', '', i];
    };
    const trades = Array.from({ length: 70 }, trade);
    return fileOf('trades.json', JSON.stringify({ error: [], result: { XBTUSDT: trades, last: '1' } }));
}

/// Readings every five minutes, of which one is out of all proportion and the last ones are calm.
function readingsFile() {
    const reading = (_, i) => {
        const at = new Date(Date.UTC(2024, 0, 1) + i * 300_000).toISOString();
        const value = i === 2500 ? 500 : 50 + Math.sin(i * 0.7) + Math.sin(i * 1.3);
        return `${at.slice(0, 19).replace('T', ' ')},${value}`;
    };
    return fileOf('pump.csv', ['timestamp,value', ...Array.from({ length: 2510 }, reading)].join('\n'));
}

describe('examples/market', () => {
    test('refuses what it cannot replay in one sentence with the line', async () => {
        assert.match(await refusalOf('market', '--replay', 'no.json'), /cannot read .*no\.json/);
        assert.match(await refusalOf('market', '--replay', 'no.csv'), /cannot open .*no\.csv/);
        const trades = await fileOf('bad.json', '{"result":{"X":[\n["1","1",1,"b"],\n["1"]]}}');
        assert.match(await refusalOf('market', '--replay', trades), /bad\.json, line 3: expected/);
        const quotes = await fileOf('bad.csv', '20200101 170000065,1.1,1.2,0\nnonsense\n');
        assert.match(await refusalOf('market', '--replay', quotes), /bad\.csv, line 2: expected/);
    });

    test('ends by itself', async () => {
        const market = await startExample('market', ['--port', '0', '--seconds', '0.5']);
        assert.deepEqual(await within(market.exited, 'end'), { code: 0, signal: null });
    });

    test('turns recorded trades into bars, averages, profits and alerts', async () => {
        const flags = ['--replay', await tradesFile(), '--bar', '10', '--speed', '40'];
        const market = await startExample('market', ['--port', '0', ...flags]);
        const live = await connect(market.url);
        live.send({ subscribe: 'bars', cursor: 'oldest' });
        const bar = await live.find(
            ({ channel, data }) => channel === 'bars' && !data.provisional,
            'closed bar',
        );
        assert.deepEqual(bar.data, {
            key: 'XBTUSDT', begin: 1762795200000, end: 1762795210000,
            value: { open: 100, high: 100.25, low: 100, close: 100.25, count: 10, volume: 20, vwap: 100.125 },
        });
        const open = await live.find(
            ({ channel, data }) => channel === 'bars' && data.provisional,
            'open bar',
        );
        assert.ok(open.data.value.count > 0);

        live.send({ subscribe: 'averages', cursor: 'oldest' });
        const average = await live.find(({ channel }) => channel === 'averages', 'average');
        assert.ok(average.data.value >= 95 && average.data.value <= 100.25);
        live.send({ subscribe: 'portfolio', cursor: 'oldest' });
        await live.find(
            ({ key, data }) => key === 'total' && Math.abs(data.gained + 5000) < 1e-6,
            'loss of 5 %',
        );
        await acknowledgeOne(live);
        live.close();
        await market.stop();
    });

    test('lets clients publish acknowledgements alone, and reports what are none', async () => {
        const market = await startExample('market', ['--port', '0']);
        const live = await connect(market.url);
        live.send({ subscribe: 'problems', cursor: 'oldest' });
        live.send({ publish: 'acknowledgements', data: { id: 'x' }, id: 6 });
        const problem = await live.find(({ channel }) => channel === 'problems', 'problem');
        assert.deepEqual(problem.data, {
            problem: 'missing_field', count: 1, field: 'who', example: '{"id":"x"}',
        });
        live.send({ publish: 'ticks', data: {}, id: 7 });
        const reply = await live.find(({ id }) => id === 7, 'reply');
        assert.ok(reply.error);
        live.close();
        await market.stop();
    });
});

describe('examples/sensors', () => {
    test('refuses what it cannot replay in one sentence with the line', async () => {
        assert.match(await refusalOf('sensors', '--replay', 'no.csv'), /cannot read .*no\.csv/);
        assert.match(await refusalOf('sensors', '--replay', folder), /cannot read/);
        const empty = await fileOf('empty.csv', 'timestamp,value\n');
        assert.match(await refusalOf('sensors', '--replay', empty), /holds no readings/);
        const bad = await fileOf('odd.csv', 'timestamp,value\n2024-01-01 00:00:00,1\n1,2\n');
        assert.match(await refusalOf('sensors', '--replay', bad), /odd\.csv, line 3: expected/);
    });

    test('ends by itself, with the telemetry of this machine', async () => {
        const sensors = await startExample('sensors', ['--port', '0', '--seconds', '3']);
        const live = await connect(sensors.url);
        live.send({ subscribe: 'readings', cursor: 'oldest' });
        const { key, data } = await live.find(({ channel }) => channel === 'readings', 'reading');
        assert.equal(key, data.key);
        assert.ok(Number.isFinite(data.value) && data.score >= 0 && data.score < 1);
        assert.deepEqual(await within(sensors.exited, 'end'), { code: 0, signal: null });
    });

    test('replays a recorded sensor and asks for maintenance where it was odd', async () => {
        const flags = ['--replay', await readingsFile(), '--rate', '5000'];
        const sensors = await startExample('sensors', ['--port', '0', ...flags]);
        const live = await connect(sensors.url);
        live.send({ subscribe: 'readings', cursor: 'oldest' });
        const odd = await live.find(({ data }) => data?.value === 500, 'odd reading');
        assert.ok(odd.data.score > 0.999);
        assert.ok(Math.abs(odd.data.expected - 50) < 1);
        await acknowledgeOne(live);
        live.close();
        await sensors.stop();
    });
});

describe('the pages of market and sensors in Chromium', { skip: noBrowser }, () => {
    let browser;
    before(async () => {
        browser = await startBrowser({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    });
    after(() => browser?.close());

    const flagsOf = {
        market: async () => ['--replay', await tradesFile(), '--bar', '10', '--speed', '40'],
        sensors: async () => ['--replay', await readingsFile(), '--rate', '5000'],
    };
    for (const [name, flags] of Object.entries(flagsOf))
        test(`${name}: an alert is acknowledged, and nothing sticks out on a phone`, async () => {
            const program = await startExample(name, ['--port', '0', ...(await flags())]);
            const { page, faults } = await browser.open(program.url);
            await page.locator('canvas').first().waitFor();
            await page.getByRole('button', { name: 'Acknowledge' }).first().click();
            await page.getByText(/seen by/).first().waitFor();
            assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
            assert.deepEqual(faults, []);
            await page.close();
            await program.stop();
        });
});
