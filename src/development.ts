import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Accounts } from './accounts/accounts.js';
import { DEVELOPMENT_SECRET_PREFIX, type Config } from './config/config.js';
import { AuthError } from './errors.js';

const DEVELOPMENT_EMAIL = 'dev@latchkey.localhost';
const ROLES = ['user', 'admin'];
/** Hosts of a database, and folders of its socket. */
const ON_THIS_MACHINE = /^(localhost|127\.0\.0\.1|\[?::1\]?|\/.*)?$/;
const THIS_MACHINE = { signedIn: null, ipAddress: null, userAgent: null };

export interface DevelopmentUser {
  email: string;
  /** Undefined when the user was made with another data folder, which keeps the password. */
  password: string | undefined;
}

/** Fills in the secrets that development may leave out: generated once, kept in the data folder. */
export async function withDevelopmentSecrets(config: Config): Promise<Config> {
  if (config.secrets.length > 0) return config;
  const secret = await keep(config.dataDir, 'secrets', () => DEVELOPMENT_SECRET_PREFIX + randomBytes(32).toString('base64url'));
  return { ...config, secrets: [secret] };
}

/**
 * Makes the development user on first start, with the role admin; its password is kept in the data folder.
 *
 * Not where NODE_ENV may only have been forgotten: in production, and in the database of another machine. Undefined: there is none.
 */
export async function ensureDevelopmentUser(config: Config, accounts: Accounts): Promise<DevelopmentUser | undefined> {
  const { environment, databaseUrl } = config;
  if (environment !== 'development') return undefined;
  if (databaseUrl !== undefined && !ON_THIS_MACHINE.test(databaseHost(databaseUrl))) return undefined;
  const password = await keep(config.dataDir, 'development-password', () => randomBytes(18).toString('base64url'));
  try {
    await accounts.register({ email: DEVELOPMENT_EMAIL, username: 'dev', password }, THIS_MACHINE, ROLES);
  } catch (error) {
    if (!(error instanceof AuthError) || error.fault.code !== 'CONFLICT') throw error;
    const isOurs = await accounts.authenticate(DEVELOPMENT_EMAIL, password, THIS_MACHINE).then(
      () => true,
      () => false,
    );
    if (!isOurs) return { email: DEVELOPMENT_EMAIL, password: undefined };
  }
  return { email: DEVELOPMENT_EMAIL, password };
}

/** As pg reads it: a parameter, which may be the folder of a socket, has the last word. */
function databaseHost(databaseUrl: string): string {
  const { hostname, searchParams } = new URL(databaseUrl);
  return searchParams.getAll('host').at(-1) ?? decodeURIComponent(hostname);
}

/** Reads a file of the data folder, or makes it for its owner's eyes alone. Of two processes that make it at once, both get the same. */
async function keep(folder: string, name: string, make: () => string): Promise<string> {
  const path = join(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, `${make()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}
