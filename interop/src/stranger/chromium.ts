import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { type Browser, chromium as playwright, type Page } from 'playwright-core';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import type { EnrolledDevice, HoldfastWorld } from '../world/holdfast-world.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const chromium: Stranger = {
  name: 'chromium',
  source: 'Debian',
  deed: 'opens the console by its one-time link, reads every page, and axe finds nothing to complain about',
  install: 'apt-get install chromium',
  version: async () => {
    const place = PLACES.find((file) => existsSync(file));
    if (place === undefined) return undefined;
    const { stdout } = await promisify(execFile)(place, ['--version', '--no-sandbox']);
    return /[\d.]+/.exec(stdout)?.[0];
  },
  meet: async (world, report) => {
    const device = await world.enroll('page');
    await world.sendFirmware('believed', device.deviceId);
    const browser = await playwright.launch({ executablePath: placeOf(), args: ARGUMENTS });
    try {
      await readPages(world, browser, { device, report });
    } finally {
      await browser.close();
    }
  },
};

function placeOf(): string {
  return PLACES.find((file) => existsSync(file)) ?? '';
}

interface Reading {
  readonly device: EnrolledDevice;
  readonly report: Report;
}

async function readPages(world: HoldfastWorld, browser: Browser, { device, report }: Reading): Promise<void> {
  const { url } = await world.api.call('console.link', {});
  // The page's own policy forbids the checker's script, so the browser is told to let it in; that policy has a test.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));

  await check(report, 'opens by the link, which leaves the address bar', async () => {
    await page.goto(url);
    await page.getByRole('link', { name: device.deviceId }).waitFor();
    expectEqual(new URL(page.url()).hash, '', 'fragment');
  });
  await check(report, 'a link that was used shows how to get another', async () => {
    const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
    const second = await stranger.newPage();
    await second.goto(url);
    await second.getByRole('heading', { name: 'This console opens by a one-time link' }).waitFor();
    await stranger.close();
  });
  const pages: readonly (readonly [path: string, heading: string])[] = [
    ['/', 'Fleet'],
    [`/devices/${device.deviceId}`, device.deviceId],
    ['/rollouts', 'Rollouts'],
    ['/audit', 'Audit log'],
  ];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [path, heading] of pages) {
      await check(report, `${path.replace(device.deviceId, 'DEVICE')} in ${colorScheme}: axe finds no violation`, () =>
        inspect(page, new URL(path, url).href, heading),
      );
    }
  }
  await check(report, 'the log is checked at a click', async () => {
    await page.goto(new URL('/audit', url).href);
    await page.getByRole('button', { name: 'Check the log' }).click();
    await page.getByText(/^Intact: \d+ entries/).waitFor();
  });
  await check(report, 'a revocation shows without a reload', async () => {
    await page.goto(new URL(`/devices/${device.deviceId}`, url).href);
    await page.getByText('active', { exact: false }).first().waitFor();
    await world.api.call('devices.revoke', { device: device.deviceId, body: {} });
    await page.getByText('revoked', { exact: false }).first().waitFor();
  });
  await check(report, 'no script failed meanwhile', () => expectEqual(troubles, [], 'errors'));
}

async function inspect(page: Page, address: string, heading: string): Promise<void> {
  await page.goto(address);
  await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
  await page.waitForLoadState('load');
  await page.evaluate(AXE);
  const found = (await page.evaluate('globalThis.axe.run()')) as {
    readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
  };
  const words = found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
  expectThat(words.length === 0, words.join('; '));
}
