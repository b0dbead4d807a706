import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { operation } from '../support/client.js';
import { startTestServer, type TestServer } from '../support/server.js';

const SCREENSHOT_PATH = process.env['LATCHKEY_SCREENSHOT'];

const EMAIL = 'ada@example.com';
const PASSWORD = 'a bird in the hand of Ada';

let server: TestServer;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the page must never do: each entry is one time that it did. */
let faults: string[];

beforeAll(async () => {
  browser = await launchChromium();
  server = await startTestServer({ variables: { LATCHKEY_GRAPHIQL: 'true' } });
  const device = { name: "Ada's phone", platform: 'IOS' };
  const { errors } = await server.graphql(operation('register'), { input: { email: EMAIL, password: PASSWORD, device } });
  expect(errors).toEqual([]);
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

beforeEach(async () => {
  faults = [];
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`Content-Security-Policy: ${violatedDirective} blocked ${blockedURI}`);
    });
  });
  page = await context.newPage();
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== new URL(server.url).origin) faults.push(`asked ${url.origin}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  await page.goto(`${server.url}/graphiql/`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
});

afterEach(async () => {
  const stored = await everythingStored();
  await context.close();
  expect(faults).toEqual([]);
  for (const secret of ['eyJ', 'lkr1_', PASSWORD]) expect(stored).not.toContain(secret);
});

describe('GraphiQL', () => {
  it('signs in, runs viewer, logs out, and is then refused', async () => {
    await logIn(EMAIL, PASSWORD);
    await text('Signed in').waitFor();
    await text(EMAIL).first().waitFor();
    await page.getByText('Access token expires in').waitFor();

    await openTab('Viewer');
    const sent = page.waitForRequest((request) => request.postData()?.includes('query Viewer') === true);
    await runOperation(`"email": "${EMAIL}"`);
    expect((await sent).headers()['authorization']).toMatch(/^Bearer eyJ/);
    if (SCREENSHOT_PATH) await page.screenshot({ path: SCREENSHOT_PATH });

    await page.getByRole('button', { name: 'Log out' }).click();
    await text('Logged out.').waitFor();
    await runOperation('"code": "UNAUTHENTICATED"');
  });

  it('says that a password is wrong, and leaves the user signed out', async () => {
    await logIn(EMAIL, 'not the password at all');
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    expect(await page.getByRole('button', { name: 'Log out' }).count()).toBe(0);
  });

  it('registers once the password is good enough, and says at the field why another is not', async () => {
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.getByLabel('E-mail', { exact: true }).fill('grace@example.com');
    const password = page.getByLabel('Password', { exact: true });
    await password.fill('short');
    await page.keyboard.press('Enter');

    await page.locator('input[name="password"][aria-invalid="true"]').waitFor();
    const faultsId = await password.getAttribute('aria-describedby');
    expect(await page.locator(`[id="${faultsId ?? ''}"]`).textContent()).toMatch(/\w/);
    expect(await password.evaluate((input) => input === document.activeElement)).toBe(true);

    await password.fill(PASSWORD);
    await page.keyboard.press('Enter');
    await text('Signed in').waitFor();
    await text('grace@example.com').waitFor();
  });

  it('takes over the session that an operation in the editor opens, and a refresh by hand', async () => {
    await openTab('Login');
    await pasteVariables({ input: { identifier: EMAIL, password: PASSWORD } });
    await runOperation('"accessToken"');
    await text('Signed in').waitFor();

    await openTab('Viewer');
    await runOperation(`"email": "${EMAIL}"`);

    const refreshed = page.waitForResponse((response) => response.request().postData()?.includes('mutation Refresh') === true);
    await page.getByRole('button', { name: 'Refresh now' }).click();
    expect(await (await refreshed).json()).toMatchObject({ data: { refresh: { user: { email: EMAIL } } } });
    await runOperation(`"email": "${EMAIL}"`);
  });
});

function text(exactly: string) {
  return page.getByText(exactly, { exact: true });
}

async function logIn(identifier: string, password: string): Promise<void> {
  await page.getByLabel('E-mail or username').fill(identifier);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

async function openTab(name: string): Promise<void> {
  await page.getByRole('tab', { name }).click();
}

/** Pastes, because Monaco closes each bracket and quotation mark that is typed. */
async function pasteVariables(variables: object): Promise<void> {
  await page.locator('section[aria-label="Variables"] .view-lines').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, JSON.stringify(variables));
}

async function runOperation(expected: string): Promise<void> {
  await page.getByRole('button', { name: 'Execute query' }).click();
  await page.locator('.graphiql-response .view-lines', { hasText: expected }).waitFor();
}

async function everythingStored(): Promise<string> {
  const stores = await page.evaluate(() => [Object.entries(localStorage), Object.entries(sessionStorage)]);
  return JSON.stringify([stores, await context.storageState({ indexedDB: true })]);
}
