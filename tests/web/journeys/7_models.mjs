/* Models: what is said of them, and who moves them. */
import assert from 'node:assert/strict';
import { accessibility } from '../browser.mjs';
import { BUDGET, lake, visit } from '../lake.mjs';

const part = (page, name) => page.locator('section.panel', { has: page.getByRole('heading', { name, exact: true }) });
const clean = async (page, selector) => assert.deepEqual(await accessibility(page, selector), []);

async function open(page, address = '/models', as = 'root') {
  const site = await visit(page, address, as);
  await page.getByRole('heading', { name: 'Models', exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.skeleton').length === 0);
  return site;
}

const models = async (site) => Object.fromEntries((await site.soar('GET', '/api/v1/models')).value.models.map((m) => [m.state, m.id]));

export default [
  {
    name: 'models: thresholds, drift and days of the active one', as: null,
    async walk(page) {
      const site = await open(page);
      const { active } = await models(site);
      const rows = part(page, 'All models').locator('tbody tr');
      assert.equal(await rows.count(), 2);
      assert.match(await rows.nth(0).textContent(), new RegExp(`^Active${active.slice(0, 12)}.*${BUDGET} a day$`));
      const { value } = await site.soar('GET', `/api/v1/models/${active}`);
      const thresholds = part(page, 'Thresholds').locator('tbody tr');
      assert.equal(await thresholds.count(), value.model.thresholds.length);
      await thresholds.filter({ hasText: 'vpc-egress' }).getByText('training, ').waitFor();
      await part(page, 'Drift').locator('tbody tr').first().waitFor();
      await page.waitForFunction(() => [...document.querySelectorAll('.chart canvas')].every((c) => globalThis.Chart?.getChart(c)));
      await page.getByLabel('Pair spec of the charts').selectOption('vpc-ingress');
      await page.waitForURL(/spec=vpc-ingress/);
      await page.locator('.twin summary').first().click();
      const days = value.days.filter((day) => day.spec === 'vpc-ingress');
      await page.locator('.twin tbody tr').first().waitFor();
      assert.equal(await page.locator('.twin').first().locator('tbody tr').count(), days.length);
    },
  },
  {
    name: 'models: champion and challenger, and the pairs on which they differ', as: null,
    async walk(page) {
      const site = await open(page);
      const { shadow } = await models(site);
      const { differences, comparisons } = (await site.soar('GET', `/api/v1/models/${shadow}`)).value;
      await part(page, 'Champion and challenger').waitFor();
      const tables = part(page, 'Champion and challenger').locator('table');
      assert.equal(await tables.nth(0).locator('tbody tr').count(), comparisons.length);
      assert.equal(await tables.nth(1).locator('tbody tr').count(), differences.length);
      const first = tables.nth(1).locator('tbody tr').first();
      assert.ok((await first.textContent()).includes(differences[0].ip));
      await first.getByRole('link', { name: /Flagged by the/ }).click();
      await page.waitForURL(/\/pair\?/);
      await page.getByText(differences[0].entity).first().waitFor();
      await page.getByRole('heading', { name: 'What the model made of it' }).waitFor();
    },
  },
  {
    name: 'models: activated by keys and rolled back, with the question first', as: null,
    async walk(page) {
      const site = await open(page);
      const { active, shadow } = await models(site);
      await part(page, 'All models').getByRole('link', { name: shadow.slice(0, 12) }).press('Enter');
      await page.waitForURL(new RegExp(`model=${shadow}`));
      const button = page.getByRole('button', { name: 'Activate' });
      await button.focus();
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Activate?' });
      await dialog.getByText('is retired and can be rolled back to').waitFor();
      await clean(page, 'dialog');
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.equal((await models(site)).active, active, 'nothing was done');
      await button.press('Enter');
      await dialog.getByRole('button', { name: 'Activate' }).press('Enter');
      await page.locator('.toast', { hasText: 'is active now' }).waitFor();
      await page.getByRole('heading', { name: /Active model/ }).waitFor();
      assert.equal((await models(site)).active, shadow);
      await part(page, 'All models').getByRole('link', { name: active.slice(0, 12) }).click();
      await page.getByRole('button', { name: 'Roll back' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
      await page.getByRole('heading', { name: /Active model/ }).waitFor();
      assert.equal((await models(site)).active, active);
      const { value } = await site.soar('GET', '/api/v1/changes?after=0&limit=1000');
      assert.equal(value.changes.filter((c) => c.kind === 'model_moved' && c.actor === 'user:root').length, 2);
    },
  },
  {
    name: 'models: a colleague was faster', as: null,
    async walk(page) {
      const site = await lake();
      const { retired } = await models(site);
      await open(page, `/models?model=${retired}`);
      await page.getByRole('button', { name: 'Hear as shadow' }).click();
      const { etag } = await site.soar('GET', `/api/v1/models/${retired}`);
      await site.soar('PATCH', `/api/v1/models/${retired}`, { state: 'shadow' }, { 'If-Match': etag });
      await page.getByRole('dialog').getByRole('button', { name: 'Hear as shadow' }).click();
      await page.locator('.toast-error', { hasText: 'somebody moved a model meanwhile' }).waitFor();
      await page.getByRole('heading', { name: /Shadow model/ }).waitFor();
    },
  },
  {
    name: 'models: who may not move them has no buttons', as: null,
    async walk(page) {
      const site = await lake();
      const { shadow } = await models(site);
      await open(page, `/models?model=${shadow}`, 'ana');
      await page.getByText('Administrators move models.').waitFor();
      assert.equal(await page.getByRole('button', { name: /Activate|shadow/ }).count(), 0);
    },
  },
  {
    name: 'models: an unknown one is said so', as: null,
    async walk(page) {
      await visit(page, '/models?model=nosuch');
      await page.getByRole('alert').filter({ hasText: 'the model nosuch is not registered' }).waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.waitForURL(/\/models$/);
      await page.getByRole('heading', { name: /Active model/ }).waitFor();
    },
  },
  {
    name: 'models: none yet', as: 'ana',
    async walk(page) {
      await page.route('**/api/v1/models', (route) => route.fulfill({ json: { models: [] } }));
      await page.goto('/models');
      await page.getByText('No model is registered.').waitFor();
      await clean(page);
    },
  },
  ...[{ scheme: 'light', width: 1440 }, { scheme: 'dark', width: 390 }].map((screen) => ({
    name: `axe: models, ${screen.scheme}, ${screen.width} px`, as: null, height: 860, ...screen,
    async walk(page) {
      await open(page);
      await page.evaluate(() => document.querySelectorAll('.twin').forEach((twin) => { twin.open = true; }));
      const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: innerWidth }));
      assert.ok(wide <= room, `${wide} px on ${room}`);
      await clean(page);
    },
  })),
];
