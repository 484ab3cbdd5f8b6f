/* Signing in and out, passwords. */
import assert from 'node:assert/strict';
import { accessibility } from '../browser.mjs';
import { PASSWORD } from '../server.mjs';

const NEW_PASSWORD = 'another long password';

async function signIn(page, name, password) {
  await page.fill('#name', name);
  await page.fill('#password', password);
  await page.click('button[type=submit]');
}

export default [
  {
    name: 'sign-in: a wrong password, then the right one, back to where one wanted', as: null,
    async walk(page) {
      await page.goto('/queue?status=all');
      await signIn(page, 'bo', 'not the password');
      await page.getByText('Name or password is wrong.').waitFor();
      await signIn(page, 'bo', PASSWORD);
      await page.locator('.row').first().waitFor();
      assert.match(page.url(), /\/queue\?status=all$/);
      assert.equal(await page.locator('.person').textContent(), 'bo');
    },
  },
  {
    name: 'sign-in: a one-time password is to be changed, and is', as: null,
    async walk(page) {
      await page.goto('/');
      await signIn(page, 'nils', PASSWORD);
      await page.getByText('Choose a password of your own').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.id), 'new');
      assert.deepEqual(await accessibility(page), []);
      await page.fill('#new', 'short');
      await page.fill('#again', 'short');
      await page.click('button[type=submit]');
      await page.getByText('At least 12 characters.').waitFor();
      await page.goto('/queue'); // no way around it
      await page.fill('#current', PASSWORD);
      await page.fill('#new', NEW_PASSWORD);
      await page.fill('#again', NEW_PASSWORD);
      await page.click('button[type=submit]');
      await page.locator('.row').first().waitFor();
      await page.click('.person');
      await page.getByRole('menuitem', { name: /Sign out/ }).click();
      await signIn(page, 'nils', NEW_PASSWORD);
      await page.locator('.tile').first().waitFor();
    },
  },
  {
    name: 'sign-in: too many attempts are told how long to wait', as: null,
    async walk(page) {
      await page.goto('/');
      for (let i = 0; i < 30; i++) {
        await signIn(page, 'nobody', `guess ${i}`);
        await page.locator('.form-fault:not(:empty)').waitFor();
        if (await page.getByText(/Too many attempts/).isVisible()) break;
      }
      assert.match(await page.locator('.form-fault').textContent(), /Too many attempts. Try again in \d+ s\./);
      assert.ok(await page.locator('button[type=submit]').isDisabled());
    },
  },
  {
    name: 'session: what ends elsewhere ends here, and goes on after signing in', as: null,
    async walk(page) {
      await page.goto('/queue');
      await signIn(page, 'root', PASSWORD);
      await page.locator('.row').first().waitFor();
      await page.context().clearCookies();
      await page.keyboard.press('r');
      await page.getByText('Your session has ended.').waitFor();
      await signIn(page, 'root', PASSWORD);
      await page.locator('.row').first().waitFor();
    },
  },
];
