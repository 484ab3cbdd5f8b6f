/* The overview and its charts. */
import assert from 'node:assert/strict';

const drawn = '.chart canvas';

/** How many of a canvas's pixels are not the background. */
const inked = (page, index) => page.evaluate(([selector, i]) => {
  const canvas = document.querySelectorAll(selector)[i];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] > 0) count++;
  return count;
}, [drawn, index]);

async function open(page, address = '/') {
  await page.goto(address);
  await page.locator(drawn).nth(2).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll('.chart canvas')].every((c) => globalThis.Chart?.getChart(c)));
}

export default [
  {
    name: 'overview: numbers, three charts, and top lists that lead into the queue',
    async walk(page, site) {
      await open(page);
      const { value } = await site.soar('GET', '/api/v1/summary');
      const count = value.by_status.new + value.by_status.in_progress;
      assert.equal(await page.locator('.tile dd a').first().textContent(), String(count));
      assert.equal(parseInt(await page.locator('#open-count').textContent(), 10), count);
      for (let i = 0; i < 3; i++) assert.ok(await inked(page, i) > 2000, `chart ${i} is blank`);
      assert.equal(await page.locator('.top').nth(0).locator('tbody tr').count(), value.top_entities.length);
      const rarest = (await site.soar('GET', '/api/v1/findings?status=new,in_progress&sort=score&limit=1')).value.findings[0];
      const story = page.locator('.stories tbody tr').first();
      assert.equal(await story.locator('.rarity-number').textContent(), rarest.score.toFixed(2));
      assert.equal(await story.locator('a').getAttribute('href'), `/findings/${rarest.id}`);
      const network = page.locator('.top').nth(1).locator('tbody a').first();
      assert.equal(await network.textContent(), value.top_networks[0].network);
      await network.click();
      await page.waitForURL((url) => url.pathname === '/queue' && url.searchParams.get('ip') === value.top_networks[0].network);
      await page.locator('.row').first().waitFor();
    },
  },
  {
    name: 'overview: dragging over the scores opens that period in the queue, Back returns',
    async walk(page) {
      await open(page, '/?period=all');
      const box = await page.locator('.brush').boundingBox();
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width * 0.7, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.8, y, { steps: 4 });
      assert.ok(await page.locator('.brush-band').isVisible());
      await page.mouse.move(box.x + box.width * 0.9, y, { steps: 4 });
      await page.mouse.up();
      await page.waitForURL(/\/queue\?.*since=.*until=/);
      const { searchParams } = new URL(page.url());
      const hours = (Date.parse(searchParams.get('until')) - Date.parse(searchParams.get('since'))) / 3600e3;
      assert.ok(hours > 5 && hours < 40, `${hours} h`);
      await page.locator('.chip', { hasText: 'Seen since' }).waitFor();
      await page.goBack();
      await page.waitForURL(/\/\?period=all$/);
      await page.locator(drawn).first().waitFor();
    },
  },
  {
    name: 'overview: period, spec and counts are in the address',
    async walk(page) {
      await open(page);
      await page.getByRole('link', { name: '24 h' }).click();
      await page.waitForURL(/period=24h/);
      await page.locator(drawn).nth(1).waitFor();
      await page.getByRole('link', { name: 'Linear' }).click();
      await page.waitForURL(/counts=linear/);
      await page.waitForFunction(() => document.querySelector('main select')?.options.length > 2);
      await page.getByLabel('Pair spec').selectOption('cloudtrail-principal');
      await page.waitForURL((url) => url.searchParams.get('spec') === 'cloudtrail-principal' && url.searchParams.get('period') === '24h');
      await page.locator('.sub', { hasText: 'cloudtrail-principal' }).waitFor();
      await page.reload();
      await page.locator('.sub', { hasText: 'cloudtrail-principal' }).waitFor();
      assert.equal(await page.getByLabel('Pair spec').inputValue(), 'cloudtrail-principal');
    },
  },
  {
    name: 'overview: every chart has its table, whose hours lead into the queue',
    async walk(page) {
      await open(page);
      for (let i = 0; i < 3; i++) {
        await page.locator('.twin summary').nth(i).click();
        await page.locator('.twin').nth(i).locator('tbody tr').first().waitFor();
      }
      await page.locator('.twin').first().locator('tbody button').first().click();
      await page.waitForURL(/\/queue\?.*since=/);
    },
  },
];
