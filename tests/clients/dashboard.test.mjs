// The live dashboard: what it refuses, and its page in a real browser.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { refusedDashboard, startDashboard } from './support/dashboard.mjs';
import { startExample } from './support/program.mjs';
import { until, within } from './support/wait.mjs';

const names = ['websocket', 'sse', 'longpoll', 'shortpoll'];
const patience = 30_000; // a browser on a busy machine takes its time

describe('live_dashboard', () => {
    let folder;
    before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'livetape-dashboard-'));
    });
    after(() => rm(folder, { recursive: true }));

    const refuses = async (pattern, ...options) => {
        const { status, said } = await refusedDashboard(...options);
        assert.notEqual(status, 0);
        assert.match(said, pattern);
        assert.equal(said.trimEnd().split('\n').length, 1, `one sentence: ${said}`);
    };

    test('says that a replay file is missing', () =>
        refuses(/cannot open .*nowhere\.csv/, '--replay', 'nowhere.csv'));

    test('says which line of a replay file it cannot read', async () => {
        const good = '20200101 170000065,1.121200,1.121720,0';
        const bad = [
            '20200101 170010447,1.1212',
            '20200101 170010447,1.1212,1.1219,0,',
            '20200101 170010447,1.1212,one,0',
            '20200101 170010447,1.1219,1.1212,0', // bid above ask
            '20200101 170010447,0,1.1212,0',
            '20200101 170010447,1.1212,inf,0',
            '20200101 176010447,1.1212,1.1219,0', // minute 60
            '20200230 170010447,1.1212,1.1219,0', // 30 February
            '20200101170010447,1.1212,1.1219,0',
            'timestamp,bid,ask,volume',
        ];
        for (const line of bad) {
            const file = join(folder, 'bad.csv');
            await writeFile(file, `${good}\r\n\n${line}\n${good}\n`);
            await refuses(/bad\.csv, line 3: expected/, '--replay', file);
        }
    });

    test('says that a replay file is empty', async () => {
        const file = join(folder, 'empty.csv');
        await writeFile(file, '\n');
        await refuses(/holds no quotes/, '--replay', file);
    });

    test('ends by itself', async () => {
        const flags = ['--port', '0', '--seconds', '0.5'];
        const dashboard = await startExample('live_dashboard', flags);
        assert.deepEqual(await within(dashboard.exited, 'end'), { code: 0, signal: null });
    });

    test('says that uPlot is missing and how to get it', () =>
        refuses(/install_dependencies/, '--vendor', folder));

    test('says that the page is missing', () => refuses(/no index\.html/, '--assets', folder));

    test('says that the address is none', () =>
        refuses(/is not an IP address/, '--address', 'here'));

    test('says that the port is in use', async () => {
        const first = await startDashboard();
        await refuses(new RegExp(`cannot listen on port ${first.port}`), '--port', first.port);
        await first.stop();
    });

    test('replays quotes with their bars, endlessly', async () => {
        const file = join(folder, 'gbpusd_quotes.csv');
        const pad = (number, digits) => String(number).padStart(digits, '0');
        const lines = Array.from(
            { length: 40 },
            (_, i) =>
                `20200101 1700${pad(i >> 2, 2)}${pad((i % 4) * 250, 3)},` +
                `1.30${10 + i},1.30${30 + i},${i}`,
        );
        await writeFile(file, lines.join('\n'));
        const dashboard = await startDashboard('--replay', file, '--speed', '50', '--loop');
        const poll = async (channel) =>
            (await fetch(`${dashboard.url}live/poll?channel=${channel}&cursor=oldest`)).json();
        const { events } = await until(async () => {
            const answer = await poll('quotes');
            return answer.events.length > 2 * lines.length && answer;
        }, 'a third round');
        for (const [i, { key, data }] of events.entries()) {
            assert.equal(key, 'GBPUSD');
            assert.equal(data.bid, Number(`1.30${10 + (i % lines.length)}`));
            assert.equal(data.volume, i % lines.length);
        }
        const bar = await until(async () => (await poll('bars')).events[0], 'a bar');
        const { low, high, open, close, average, count } = bar.data;
        assert.ok(low <= Math.min(open, close) && high >= Math.max(open, close) && count > 0);
        assert.ok(average >= low && average <= high);
        assert.ok(
            (await poll('alerts')).events.some(
                ({ data }) => data.what === 'spread' && data.of === 'GBPUSD',
            ),
        );
        await dashboard.stop();
    });
});

/// What a page shows of its four lanes.
const lanesOf = (page) => {
    const lane = (name) => page.locator(`[data-transport="${name}"]`);
    const shown = (name, field) => lane(name).locator(`[data-field="${field}"]`).textContent();
    const number = async (name, field) => Number((await shown(name, field)).replaceAll(',', ''));
    return {
        lane,
        shown,
        number,
        state: (name) => lane(name).getAttribute('data-state'),
        async isWhole(name) {
            assert.equal(await number(name, 'missing'), 0, `${name} lost nothing`);
            assert.equal(await number(name, 'doubled'), 0, `${name} doubled nothing`);
        },
    };
};
const eventually = (condition, what) => until(condition, what, patience);

describe('live_dashboard in Chromium', { skip: noBrowser }, () => {
    let dashboard;
    let browser;
    let page;
    let faults;
    let lane, shown, number, state, isWhole;

    before(async () => {
        // Fast, so that there soon is something to alert about.
        dashboard = await startDashboard('--speed', '4');
        browser = await startBrowser({
            viewport: { width: 1280, height: 900 },
            colorScheme: 'light',
        });
        ({ page, faults } = await browser.open(dashboard.url));
        ({ lane, shown, number, state, isWhole } = lanesOf(page));
    });
    after(async () => {
        await browser?.close();
        await dashboard?.stop();
    });

    const pixels = (selector) => page.locator(selector).evaluate((canvas) => canvas.toDataURL());

    for (const chart of ['#cpu canvas', '#network canvas', '#disk canvas', '#candles canvas'])
        test(`the chart ${chart} moves`, async () => {
            await page.locator(chart).waitFor({ timeout: patience });
            const before = await pixels(chart);
            await eventually(
                async () => (await pixels(chart)) !== before,
                `another picture in ${chart}`,
            );
        });

    test('the table has the newest quote of each symbol', async () => {
        const rows = page.locator('#quotes tbody tr');
        await eventually(async () => (await rows.count()) === 12, 'a row of each symbol');
        const prices = () =>
            rows.evaluateAll((all) => all.map((row) => row.cells[1].textContent).join());
        const before = await prices();
        await eventually(async () => (await prices()) !== before, 'a new quote');
        await eventually(
            async () => page.locator('#quotes tr[data-direction="1"]').count(),
            'a price that rose',
        );
        await eventually(
            async () => page.locator('#quotes tr[data-direction="-1"]').count(),
            'a price that fell',
        );
        await page.getByRole('button', { name: 'USDJPY' }).click();
        assert.equal(await page.locator('[data-field="symbol"]').textContent(), 'USDJPY');
    });

    test('alerts are raised and cleared', async () => {
        for (const what of ['raised', 'cleared'])
            await page
                .locator(`#alerts li[data-state="${what}"]`)
                .first()
                .waitFor({ timeout: patience });
    });

    for (const name of names)
        test(`${name} is live and measured`, async () => {
            await eventually(async () => (await state(name)) === 'live', `${name} live`);
            const before = await number(name, 'received');
            await eventually(async () => (await number(name, 'received')) > before, 'more events');
            await eventually(
                async () => (await number(name, 'updates')) > 10,
                'updates per second',
            );
            await eventually(async () => (await number(name, 'bytes')) > 50, 'bytes per update');
            assert.match(await shown(name, 'median'), /^[\d.,]+$/);
            // At first the request that opened a stream counts too.
            const asks = async () => (await number(name, 'requests')) > 0.5;
            await eventually(async () => (await asks()) === name.endsWith('poll'), 'requests per second');
            await isWhole(name);
        });

    for (const name of names)
        test(`${name} loses and doubles nothing when it is cut and resumed`, async () => {
            await lane(name).getByRole('button', { name: 'Cut' }).click();
            assert.equal(await state(name), 'cut');
            const before = await number(name, 'received');
            await eventually(
                async () => /, [1-9]\d* behind/.test(await shown(name, 'note')),
                'events missed',
            );
            assert.equal(await number(name, 'received'), before);
            await lane(name).getByRole('button', { name: 'Resume' }).click();
            await eventually(
                async () => /caught up [1-9]/.test(await shown(name, 'note')),
                'events caught up',
            );
            await eventually(
                async () => (await number(name, 'received')) > before + 30,
                'events after them',
            );
            assert.equal(await state(name), 'live');
            await isWhole(name);
        });

    test('all are cut and resumed at once, on the other feed too', async () => {
        await page.getByRole('button', { name: 'quotes', exact: true }).click();
        for (const name of names)
            await eventually(
                async () => (await number(name, 'received')) > 20,
                `quotes over ${name}`,
            );
        await page.getByRole('button', { name: 'Cut all' }).click();
        for (const name of names)
            await eventually(
                async () => /, \d\d+ behind/.test(await shown(name, 'note')),
                `${name} behind`,
            );
        const before = await Promise.all(names.map((name) => number(name, 'received')));
        await page.getByRole('button', { name: 'Resume all' }).click();
        for (const [i, name] of names.entries()) {
            await eventually(
                async () => (await number(name, 'received')) > before[i] + 20,
                `${name} live again`,
            );
            await isWhole(name);
        }
    });

    test('a visitor switches between light and dark', async () => {
        const ground = () =>
            page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        const light = await ground();
        await page.getByRole('button', { name: /light and dark/ }).click();
        const dark = await ground();
        assert.notEqual(dark, light);
        await page.reload();
        assert.equal(await ground(), dark, 'the choice is kept');
        await page.getByRole('button', { name: /light and dark/ }).click();
        assert.equal(await ground(), light);
    });

    test('the table of quotes is whole beside the charts', async () => {
        await page.setViewportSize({ width: 1200, height: 1000 });
        await eventually(
            async () => (await page.locator('#quotes tbody tr').count()) === 12,
            'the quotes',
        );
        const [inside, room] = await page
            .locator('.table-scroll')
            .evaluate((box) => [box.scrollWidth, box.clientWidth]);
        assert.equal(inside, room);
    });

    test('nothing sticks out on a phone', async () => {
        await page.setViewportSize({ width: 390, height: 844 });
        await page.locator('#candles canvas').waitFor({ timeout: patience });
        await page.locator('[data-transport="shortpoll"]').waitFor({ timeout: patience });
        await eventually(
            async () => (await page.locator('#quotes tbody tr').count()) === 12,
            'the quotes',
        );
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    });

    test('nothing went wrong in the page', () => assert.deepEqual(faults, []));

    test('every transport comes back after the server was started anew', async () => {
        let again = await startDashboard();
        const { page: other } = await browser.open(again.url);
        const lanes = lanesOf(other);
        await other.getByRole('button', { name: 'quotes', exact: true }).click();
        for (const name of names)
            await eventually(
                async () => (await lanes.number(name, 'received')) > 0,
                `${name} live`,
            );
        await again.stop();
        for (const name of names)
            await eventually(async () => (await lanes.state(name)) !== 'live', `${name} lost`);
        const before = await Promise.all(names.map((name) => lanes.number(name, 'received')));
        again = await startDashboard('--port', again.port);
        for (const [i, name] of names.entries()) {
            const isBack = async () => (await lanes.number(name, 'received')) > before[i] + 30;
            await eventually(isBack, `${name} back`);
            assert.equal(await lanes.state(name), 'live');
            await lanes.isWhole(name);
        }
        await other.close();
        await again.stop();
    });
});
