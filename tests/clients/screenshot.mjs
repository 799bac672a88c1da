// Takes docs/images/dashboard.png from the live dashboard: run by scripts/screenshot.

import { fileURLToPath } from 'node:url';
import { startBrowser } from './support/browser.mjs';
import { startDashboard } from './support/dashboard.mjs';

const picture = fileURLToPath(new URL('../../docs/images/dashboard.png', import.meta.url));
// Until the charts, which show the last minute, are full.
const milliseconds = 70_000;

const dashboard = await startDashboard();
const browser = await startBrowser({
    viewport: { width: 1200, height: 1000 },
    deviceScaleFactor: 1.5,
    colorScheme: 'light',
});
const { page, faults } = await browser.open(dashboard.url);
await page.waitForTimeout(milliseconds);
await page.screenshot({ path: picture, fullPage: true });
await browser.close();
await dashboard.stop();
if (faults.length > 0) throw new Error(faults.join('\n'));
console.log(`wrote docs/images/dashboard.png`);
