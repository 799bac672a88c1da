// Chromium, driven by playwright-core, with a profile of its own that is thrown away.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const program = process.env.LIVETAPE_BROWSER || '/usr/bin/chromium';

/// A reason to skip tests that need a browser; false if there is one.
export const noBrowser = !existsSync(program) && 'there is no Chromium';

const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];

/// @param options  of playwright's launchPersistentContext: viewport, colorScheme …
export async function startBrowser(options = {}) {
    const profile = await mkdtemp(join(tmpdir(), 'livetape-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: program,
        args: flags,
        ...options,
    });
    return {
        /// Opens a page; what goes wrong in it is added to `faults`.
        async open(url) {
            const page = await context.newPage();
            const faults = [];
            page.on('console', (line) => {
                if (['error', 'warning'].includes(line.type())) faults.push(line.text());
            });
            page.on('pageerror', (error) => faults.push(error.stack));
            await page.goto(url);
            return { page, faults };
        },

        async close() {
            await context.close();
            await rm(profile, { recursive: true, force: true, maxRetries: 5 });
        },
    };
}
