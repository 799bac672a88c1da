// Takes docs/images/dashboard.png from the live dashboard: run by scripts/screenshot.

import { fileURLToPath } from 'node:url';
import { startBrowser } from './support/browser.mjs';
import { startDashboard } from './support/dashboard.mjs';

const picture = fileURLToPath(new URL('../../docs/images/dashboard.png', import.meta.url));
// At some 110 a second that is over a minute, which is what the charts show.
const updates = 7_500;

const dashboard = await startDashboard();
const browser = await startBrowser({
    viewport: { width: 1200, height: 1000 },
    deviceScaleFactor: 1.5,
    colorScheme: 'light',
});
const { page, faults } = await browser.open(dashboard.url);
await page.waitForFunction(
    (enough) => {
        const received = document.querySelector('[data-transport="websocket"] [data-field="received"]');
        return Number(received?.textContent.replaceAll(',', '')) >= enough;
    },
    updates,
    { timeout: 180_000 },
);
await page.screenshot({ path: picture, fullPage: true });
await browser.close();
await dashboard.stop();
if (faults.length > 0) throw new Error(faults.join('\n'));
console.log(`wrote docs/images/dashboard.png`);
