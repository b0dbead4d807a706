import { systemClock } from '../clock.js';
import type { Config, ConfigError } from '../config/config.js';
import { createPepper } from '../crypto/pepper.js';
import { createSecretRing } from '../crypto/secret-ring.js';
import { openSigningKey } from '../keys/signing-key.js';
import type { Database } from '../persistence/database.js';
import { createUserStore } from '../persistence/user.store.js';
import { createSigningKeyStore } from '../persistence/signing-key.store.js';
import type { Row } from './io.js';

export type Finding = Row & { check: string; ok: boolean; finding: string; advice: string };

/** What there is to find of a configuration with faults: nothing else can be looked at. */
export function faultsFound({ faults }: ConfigError): Finding[] {
  return faults.map(({ key, expected }) => finding('configuration', false, `${key} is not right`, expected));
}

/** Looks at what a server needs, one thing after the other, and says what to do about each that is not as it should be. */
export async function examine(config: Config, database: Database): Promise<Finding[]> {
  const findings: Finding[] = [
    finding('configuration', true, `${config.environment}, issuer "${config.issuer}", ${String(config.secrets.length)} secret(s)`, ''),
  ];

  let databaseTime: number;
  try {
    const begun = systemClock.now();
    const [row] = await database.query<{ version: string; now: number }>(
      `SELECT version(), extract(epoch FROM clock_timestamp())::float8 AS now`,
    );
    databaseTime = (row?.now ?? 0) - (systemClock.now() - begun) / 2000;
    findings.push(finding('database', true, row?.version.split(' on ')[0] ?? '', ''));
  } catch {
    findings.push(finding('database', false, 'cannot be reached', 'Check DATABASE_URL, the network, and that PostgreSQL runs.'));
    return findings;
  }

  const skew = Math.abs(systemClock.now() / 1000 - databaseTime);
  // No less than a second: tokens are dated in whole ones, and the question took a while.
  const tolerance = Math.max(1, config.clockToleranceSeconds);
  findings.push(
    finding(
      'clock',
      skew <= tolerance,
      `${skew.toFixed(1)} s from the database's`,
      `Set both machines' clocks by NTP: tokens are checked within ${String(config.clockToleranceSeconds)} s.`,
    ),
  );

  const pending = await database.pendingMigrations();
  findings.push(
    finding(
      'migrations',
      pending.length === 0,
      pending.length === 0 ? 'all applied' : `missing: ${pending.join(', ')}`,
      'Run: latchkey migrate',
    ),
  );
  if (pending.length > 0) return findings;

  const secrets = createSecretRing(config.secrets);
  const keys = await Promise.all((await createSigningKeyStore(database).list()).map((stored) => openSigningKey(secrets, stored)));
  const opened = keys.filter((key) => key.sign !== undefined);
  const usable = opened.filter((key) => key.algorithm === config.signingAlgorithm);
  findings.push(
    finding(
      'signing keys',
      // One of another algorithm signs until the servers have made the next.
      opened.length > 0,
      `${String(keys.length)} verify, ${String(usable.length)} can sign with ${config.signingAlgorithm}`,
      keys.length === 0
        ? 'The server makes one when it starts.'
        : 'No secret of LATCHKEY_SECRETS opens them: put the old secret back behind the new one.',
    ),
  );

  const known = new Set(config.passwordPeppers.map((pepper) => createPepper(pepper).id));
  const used = await createUserStore(database, { revocationLifetimeSeconds: 0 })
    .pepperUse()
    .catch(() => undefined);
  if (used === undefined) {
    const advice = 'They are many, or the database is busy. Give it more time: LATCHKEY_DATABASE_TIMEOUT_MS=600000 latchkey doctor';
    findings.push(finding('password peppers', false, 'the password hashes could not be counted in time', advice));
    return findings;
  }
  const lacking = used.filter(({ pepperId }) => pepperId !== null && !known.has(pepperId));
  const stranded = lacking.reduce((sum, { count }) => sum + count, 0);
  findings.push(
    finding(
      'password peppers',
      stranded === 0,
      stranded === 0
        ? `${String(known.size)} pepper(s)`
        : `${String(stranded)} ${stranded === 1 ? 'user needs' : 'users need'} one that is not there`,
      'They cannot sign in. Put the old pepper back behind the new one: LATCHKEY_PASSWORD_PEPPERS=new,old',
    ),
  );
  return findings;
}

function finding(check: string, ok: boolean, text: string, advice: string): Finding {
  return { check, ok, finding: text, advice: ok ? '' : advice };
}
