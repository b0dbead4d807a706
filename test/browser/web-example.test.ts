import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createLogger } from '../../src/log.js';
import { openDatabase, type Database } from '../../src/persistence/database.js';
import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { launchChromium } from '../support/chromium.js';
import { bearer, operation } from '../support/client.js';
import { testConfig } from '../support/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { serveExample, type ExamplePage } from '../support/example-page.js';
import { startTestServer, type TestServer } from '../support/server.js';

const NEW_PASSWORD = 'nine orange trumpets fall';
/** One test waits for as long. A token lives from when it is asked for: it must outlast what a slow machine takes to answer one that is held back. */
const ACCESS_TOKEN_LIFETIME_SECONDS = 20;

let testDatabase: TestDatabase;
let database: Database;
let server: TestServer;
let call: Calls;
let example: ExamplePage;
let browser: Browser;
/** One browser; more of them are other devices. */
let context: BrowserContext;
let email: string;
/** What no page must ever do: each entry is one time that it did. */
let faults: string[];

beforeAll(async () => {
  browser = await launchChromium();
  testDatabase = await createTestDatabase();
  const variables = {
    ...testDatabase.variables,
    LATCHKEY_ACCESS_TOKEN_LIFETIME_SECONDS: String(ACCESS_TOKEN_LIFETIME_SECONDS),
    // `iat` is a whole second that has begun, so that without it a token could be over before the kit, told of twenty, believes it.
    LATCHKEY_CLOCK_TOLERANCE_SECONDS: '1',
    // However slow the machine, what asks at once asks within the grace.
    LATCHKEY_REFRESH_GRACE_SECONDS: '60',
  };
  database = await openDatabase(testConfig(variables), createLogger({ logLevel: 'silent' }));
  server = await startTestServer({ variables, overrides: { database } });
  call = createCalls(server.graphql);
  example = await serveExample('web', server.url);
});

afterAll(async () => {
  await browser.close();
  await example.close();
  await server.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  faults = [];
  ({ email } = newPerson());
  context = await newBrowser();
});

afterEach(async () => {
  for (const opened of browser.contexts()) {
    const stored = JSON.stringify(await opened.storageState({ indexedDB: true }));
    for (const secret of ['eyJ', PASSWORD, NEW_PASSWORD]) expect(stored).not.toContain(secret);
    await opened.close();
  }
  expect(faults).toEqual([]);
});

/** A browser with a profile of its own. */
async function newBrowser(): Promise<BrowserContext> {
  const opened = await browser.newContext({ viewport: { width: 1000, height: 900 }, colorScheme: 'light', reducedMotion: 'reduce' });
  await opened.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`Content-Security-Policy: ${violatedDirective} blocked ${blockedURI}`);
    });
  });
  opened.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(example.url).origin) faults.push(`asked ${request.url()}`);
  });
  opened.on('console', (message) => {
    // Chromium reports each answer that is not 200, and each request that was cut off.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(`console: ${message.text()}`);
  });
  opened.on('weberror', (error) => faults.push(`uncaught: ${error.error().message}`));
  return opened;
}

async function openTab(opened = context): Promise<Page> {
  const page = await opened.newPage();
  await page.goto(example.url);
  return page;
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const status = (page: Page, text: string | RegExp) => page.locator('.status', { hasText: text }).waitFor();
const signedInAs = (page: Page, who = email) => page.getByRole('heading', { name: who }).waitFor();
const signInForm = (page: Page) => page.getByRole('heading', { name: 'Sign in' }).waitFor();
const otherDevices = (page: Page) => page.getByRole('button', { name: /^Sign out .+ on / });

async function signUp(page: Page): Promise<void> {
  await button(page, 'Create an account').click();
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Create the account').click();
  await signedInAs(page);
}

async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail or username').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
}

/** What the pages of a browser send, by the name of the operation. */
function recordOperations(opened: BrowserContext): string[] {
  const sent: string[] = [];
  opened.on('request', (request) => {
    const [, name] = /(?:query|mutation) (\w+)/.exec(request.postData() ?? '') ?? [];
    if (name !== undefined) sent.push(name);
  });
  return sent;
}

async function storedSession(page: Page): Promise<{ id: string; refreshToken: string }> {
  const record = await page.evaluate(() => localStorage.getItem('latchkey'));
  return (JSON.parse(record!) as { session: { id: string; refreshToken: string } }).session;
}

describe('the web example', () => {
  it('makes an account, keeps it signed in over a reload, and shows it in a second tab', async () => {
    const page = await openTab();
    await signInForm(page);
    await signUp(page);
    await status(page, 'Signed in');
    await page.getByText('this device').waitFor();
    await page.reload();
    await signedInAs(page);
    const second = await openTab();
    await signedInAs(second);
    // One session, however many tabs.
    expect(await second.locator('.devices li').count()).toBe(1);
  });

  it('signs every tab in and out with one of them', async () => {
    const [first, second] = [await openTab(), await openTab()];
    await signInForm(second);
    await signUp(first);
    await signedInAs(second);
    await button(second, 'Sign out').click();
    await status(second, 'Signed out');
    await signInForm(first);
    await status(first, 'Not signed in');
    // Until the server has confirmed, what it has to be told is kept.
    await expect.poll(() => first.evaluate(() => localStorage.length)).toBe(0);
  });

  it('lets two tabs whose access tokens have expired refresh one after the other, with one rotation and no reuse', async () => {
    const [first, second] = [await openTab(), await openTab()];
    await signUp(first);
    await signedInAs(second);
    const { id } = await storedSession(first);
    const generation = async () =>
      (await database.query<{ generation: number }>('SELECT generation FROM session WHERE id = $1', [id]))[0]!.generation;
    // Signing in brought the first tab its tokens; the second has refreshed once, and that was longer ago than the grace.
    expect(await generation()).toBe(2);
    await database.query(`UPDATE session SET rotated_at = rotated_at - interval '1 hour' WHERE id = $1`, [id]);
    const tokens = await Promise.all([first, second].map(accessTokenOf));
    await expect
      .poll(() => Promise.all(tokens.map(reasonOf)), { timeout: 40_000, interval: 100 })
      .toEqual(['TOKEN_EXPIRED', 'TOKEN_EXPIRED']);

    const sent = recordOperations(context);
    const refreshes = () => sent.filter((name) => name === 'Refresh').length;
    const release = await holdRefreshes();
    await Promise.all([button(first, 'Reload').click(), button(second, 'Reload').click()]);
    const tabsThatWait = () => first.evaluate(async () => (await navigator.locks.query()).pending?.length);
    await expect.poll(tabsThatWait, { timeout: 10_000 }).toBe(1);
    expect(refreshes()).toBe(1);
    release();
    await Promise.all([first, second].map((page) => button(page, 'Reload').waitFor()));

    expect(refreshes()).toBe(2);
    await Promise.all([first, second].map((page) => status(page, 'Signed in')));
    await Promise.all([first, second].map((page) => signedInAs(page)));
    expect(await generation()).toBe(3);
    expect(await database.query(`SELECT 1 FROM audit_event WHERE type = 'REFRESH_TOKEN_REUSED'`)).toEqual([]);
  });

  it('signs out a device that another one revokes, with its next request', async () => {
    const lost = await openTab();
    await signUp(lost);
    const desk = await openTab(await newBrowser());
    await signIn(desk);
    await signedInAs(desk);
    // With a new access token, which is not about to be refreshed.
    await lost.reload();
    await signedInAs(lost);
    await otherDevices(desk).click();
    await otherDevices(desk).waitFor({ state: 'detached' });

    const sent = recordOperations(context);
    await button(lost, 'Reload').click();
    await status(lost, 'Your session has ended. Sign in again.');
    await signInForm(lost);
    expect(sent).toEqual(['Viewer']);
    expect(await lost.evaluate(() => localStorage.length)).toBe(0);
    await signedInAs(desk);
  });

  it('changes the password, which signs every other device out, and signs in with the new one', async () => {
    const page = await openTab();
    await signUp(page);
    const other = await openTab(await newBrowser());
    await signIn(other);
    await signedInAs(other);

    await page.getByLabel('Current password').fill(PASSWORD);
    await page.getByLabel('New password').fill(NEW_PASSWORD);
    await button(page, 'Change the password').click();
    await page.getByText('The password is changed. Your other devices are signed out.').waitFor();
    await otherDevices(page).waitFor({ state: 'detached' });
    await button(other, 'Reload').click();
    await signInForm(other);

    await button(page, 'Sign out').click();
    await signInForm(page);
    await signIn(page);
    await page.getByRole('alert').filter({ hasText: 'The e-mail address, username or password is not right.' }).waitFor();
    await signIn(page, NEW_PASSWORD);
    await signedInAs(page);
  });

  it('shows at the field what the server refuses, and puts the focus there', async () => {
    const page = await openTab();
    await button(page, 'Create an account').click();
    await page.getByLabel('E-mail').fill(email);
    const password = page.getByLabel('Password');
    await password.fill('short');
    await button(page, 'Create the account').click();
    await page.getByText('Use at least 15 characters. A few words make a good password.').waitFor();
    expect(await password.getAttribute('aria-invalid')).toBe('true');
    expect(await password.evaluate((input) => input === document.activeElement)).toBe(true);
    await password.fill(PASSWORD);
    await page.keyboard.press('Enter');
    await signedInAs(page);

    await page.getByLabel('Current password').fill(PASSWORD);
    await page.getByLabel('New password').fill('short');
    await button(page, 'Change the password').click();
    await page.getByText('Use at least 15 characters. A few words make a good password.').waitFor();
    expect(await page.getByLabel('New password').getAttribute('aria-invalid')).toBe('true');
  });

  it('says how long to wait after too many tries, and waits', async () => {
    await call.answer('register', { input: { email, password: PASSWORD } });
    for (let count = 0; count < 10; count += 1)
      await call.fault('login', { input: { identifier: email, password: 'not this one, surely' } });
    const page = await openTab();
    await signIn(page, 'not this one, surely');
    await page
      .getByRole('alert')
      .filter({ hasText: /^Too many attempts\. Try again in \d+ s\.$/ })
      .waitFor();
    const waiting = page.getByRole('button', { name: /^Sign in \(in \d+ s\)$/ });
    expect(await waiting.getAttribute('aria-disabled')).toBe('true');
    const sent = recordOperations(context);
    await page.getByLabel('Password').press('Enter');
    expect(sent).toEqual([]);
  });

  it('stays signed in while the server cannot be reached, says so, and goes on when asked', async () => {
    const page = await openTab();
    await signUp(page);
    await context.route('**/graphql', (route) => route.abort());
    await page.reload();
    await status(page, /The server cannot be reached\. Trying again at /);
    await page.getByRole('alert').filter({ hasText: 'The server cannot be reached just now.' }).waitFor();
    await context.unroute('**/graphql');
    await button(page, 'Try now').click();
    await status(page, 'Signed in');
    await signedInAs(page);
  });

  it('signs out everywhere', async () => {
    const page = await openTab();
    await signUp(page);
    const elsewhere = await call.answer<Tokens>('login', { input: { identifier: email, password: PASSWORD } });
    const told = page.waitForResponse((response) => response.request().postData()?.includes('mutation Logout') === true);
    await button(page, 'Sign out everywhere').click();
    await signInForm(page);
    await told;
    expect((await call.fault('viewer', {}, bearer(elsewhere.accessToken))).extensions.code).toBe('UNAUTHENTICATED');
  });
});

/** The access token that a tab sends. */
async function accessTokenOf(page: Page): Promise<string> {
  const asked = page.waitForRequest((request) => request.postData()?.includes('query Viewer') === true);
  await button(page, 'Reload').click();
  return (await asked).headers()['authorization']!.replace('Bearer ', '');
}

/** Why the server does not take an access token; undefined while it does. */
async function reasonOf(accessToken: string): Promise<string | undefined> {
  const { errors } = await server.graphql(operation('viewer'), {}, bearer(accessToken));
  return errors[0]?.extensions.reason;
}

/** Keeps refreshes from reaching the server until they are released. */
async function holdRefreshes(): Promise<() => void> {
  let release: (() => void) | undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await context.route('**/graphql', async (route) => {
    if (route.request().postData()?.includes('mutation Refresh') === true) await released;
    await route.continue();
  });
  return () => release?.();
}
