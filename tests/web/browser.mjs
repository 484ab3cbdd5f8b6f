/* A real Chromium, its pages watched: a message on the console, an exception or a broken rule of the
 * content security policy fails the journey that caused it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../package.json', import.meta.url));
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const STEP_MS_MAX = 15e3;
/** Nobody is signed in yet, or a password is wrong; a race is lost; a finding is not there: answers of the API, not faults. */
const EXPECTED = /status of (401|404|412|429|503)/;
const isExpected = (message) => EXPECTED.test(message.text()) && (/\/(api\/|readyz)/.test(message.location().url) || (process.env.WEB_DIR && message.location().url.includes('/vendor/')));

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync);
  if (!executablePath) throw new Error(`no Chromium at ${PLACES.join(', ')}; CHROMIUM names another place`);
  return chromium.launch({ executablePath, args: FLAGS });
}

/** @returns {Promise<{page, faults: string[], close}>} */
export async function openPage(browser, { url, cookies = [], width = 1360, height = 860, scheme = 'light' }) {
  const context = await browser.newContext({ baseURL: url, viewport: { width, height }, colorScheme: scheme, timezoneId: 'Europe/Berlin' });
  context.setDefaultTimeout(STEP_MS_MAX);
  await context.addCookies(cookies);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`exception: ${error.stack}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !isExpected(message)) faults.push(`console: ${message.text()}`);
  });
  page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.addInitScript(() => {
    globalThis.brokenRules = [];
    document.addEventListener('securitypolicyviolation', (event) => globalThis.brokenRules.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  return {
    page, faults,
    async close() {
      const broken = await page.evaluate(() => globalThis.brokenRules ?? []).catch(() => []);
      faults.push(...broken.map((rule) => `content security policy: ${rule}`));
      await context.close();
    },
  };
}

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe finds in the page, or in a part of it, one line each. */
export async function accessibility(page, part) {
  const axe = new AxeBuilder({ page }).withTags(RULES);
  if (part) axe.include(part);
  const { violations } = await axe.analyze();
  return violations.flatMap((v) => v.nodes.map((node) => `${v.id}: ${node.target.join(' ')}: ${node.failureSummary.replaceAll('\n', ' ')}`));
}
