import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { launchChromium } from '../support/chromium.js';
import { bearer } from '../support/client.js';
import { runTool, serveExample, type ExamplePage } from '../support/example-page.js';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
let call: Calls;
let example: ExamplePage;
let browser: Browser;
let page: Page;
let email: string;
let phone: Tokens;

beforeAll(async () => {
  browser = await launchChromium();
  server = await startTestServer();
  call = createCalls(server.graphql);
  await runTool('graphql-codegen', [], 'codegen');
  example = await serveExample('codegen', server.url);
});

afterAll(async () => {
  await browser.close();
  await example.close();
  await server.close();
});

beforeEach(async () => {
  const person = newPerson();
  ({ email } = person);
  phone = await call.answer<Tokens>('register', { input: { ...person, device: { name: "Ada's phone", platform: 'IOS' } } });
  page = await browser.newPage();
  await page.goto(example.url);
  await page.getByLabel('E-mail or username').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: email }).waitFor();
});

describe('the example of GraphQL Code Generator', () => {
  it('shows who is signed in, and on which devices', async () => {
    await page.getByText('Roles: user').waitFor();
    expect(await page.locator('li strong').allTextContents()).toEqual(expect.arrayContaining(["Ada's phone", 'Codegen example']));
    expect(await page.getByText('this device').count()).toBe(1);
  });

  it('signs out another device', async () => {
    await page.getByRole('button', { name: "Sign out Ada's phone" }).click();
    await page.getByText("Ada's phone").waitFor({ state: 'detached' });
    expect((await call.fault('viewer', {}, bearer(phone.accessToken))).extensions.reason).toBe('SESSION_REVOKED');
  });

  it('says what is wrong with a password in the words of the server, and changes it for a better one', async () => {
    const change = async (password: string) => {
      await page.getByLabel('Current password').fill(PASSWORD);
      await page.getByLabel('New password').fill(password);
      await page.getByRole('button', { name: 'Change it' }).click();
    };
    await change('short');
    await page.getByRole('alert').getByText('Use at least 15 characters. A few words make a good password.', { exact: true }).waitFor();
    await change('nine orange trumpets fall');
    await page.getByRole('alert').getByText('The password is changed, and every other device signed out.').waitFor();
    await page.getByText("Ada's phone").waitFor({ state: 'detached' });
  });

  it('says that its session has ended when another device has ended it', async () => {
    await call.answer('logout', { input: { sessions: 'OTHER_SESSIONS' } }, bearer(phone.accessToken));
    await page.getByRole('button', { name: "Sign out Ada's phone" }).click();
    await page.getByRole('alert').getByText('Your session has ended. Sign in again.').waitFor();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });
});
