import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import type { Accounts } from '../../src/accounts/accounts.js';
import { ensureDevelopmentUser } from '../../src/development.js';
import { testConfig } from '../support/config.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-development-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function ensuredWith(dataDir: string, variables: Record<string, string>) {
  const register = vi.fn<Accounts['register']>(async () => ({ userId: 'made', passwordHash: '' }));
  const config = testConfig({ LATCHKEY_DATA_DIR: join(folder, dataDir), ...variables });
  const user = await ensureDevelopmentUser(config, { register } as Partial<Accounts> as Accounts);
  return { user, register };
}

describe('the development user', () => {
  it.each([
    ['the embedded database', ''],
    ['localhost', 'postgres://app@localhost/app'],
    ['127.0.0.1', 'postgres://app@127.0.0.1:5433/app'],
    ['[::1]', 'postgresql://app@[::1]/app'],
    ['a socket', 'postgres://app@localhost/app?host=/var/run/postgresql'],
  ])('is made in %s', async (_name, url) => {
    const { user, register } = await ensuredWith('own', { NODE_ENV: 'development', DATABASE_URL: url });
    expect(user).toEqual({ email: 'dev@latchkey.localhost', password: expect.stringMatching(/^[\w-]{24}$/) as string });
    expect(register).toHaveBeenCalledWith(expect.objectContaining({ password: user?.password }), expect.anything(), ['user', 'admin']);
  });

  it.each([
    ['in the database of another machine', { NODE_ENV: 'development', DATABASE_URL: 'postgres://app@db.example.com/app' }],
    [
      'where the name of another machine only begins so',
      { NODE_ENV: 'development', DATABASE_URL: 'postgres://app@localhost.example.com/app' },
    ],
    [
      'where a parameter names another machine',
      { NODE_ENV: 'development', DATABASE_URL: 'postgres://app@localhost/app?host=db.example.com' },
    ],
    ['in production', { NODE_ENV: 'production', DATABASE_URL: 'postgres://app@localhost/app' }],
  ])('is not made %s, and no password for it', async (_name, variables) => {
    const { user, register } = await ensuredWith('none', variables);
    expect([user, register.mock.calls]).toEqual([undefined, []]);
    expect(await readdir(folder)).not.toContain('none');
  });
});
