import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Lock } from '../../src/core/lock.js';
import { ENDPOINT, seconds, startProgram, type Program } from '../support/device.js';
import { locked, type Disk } from '../support/fragile-storage.js';
import { ModelServer, PASSWORD, refusal, type Fate } from '../support/model-server.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

const fates: Record<string, Fate> = {
  'the request is lost': 'lose-request',
  'the reply is lost': 'lose-reply',
  'nobody answers': 'hang',
  'the server is out of order': () => refusal('SERVICE_UNAVAILABLE', {}, { status: 503 }),
  'the server wants a pause': () => refusal('RATE_LIMITED', { retryAfterSeconds: 3 }),
};

type Step =
  | { kind: 'call' | 'refresh' | 'restart' | 'second process' | 'expire' }
  | { kind: 'wait'; seconds: number }
  | { kind: 'fate'; fate: string }
  | { kind: 'storage'; when: 'before' | 'after'; nth: number; failure: 'hang' | 'fail' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom<Step[]>({ kind: 'call' }, { kind: 'refresh' }, { kind: 'restart' }, { kind: 'second process' }, { kind: 'expire' }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.constantFrom(0, 1, 20, 1000) }),
  fc.record({ kind: fc.constant('fate' as const), fate: fc.constantFrom(...Object.keys(fates)) }),
  fc.record({
    kind: fc.constant('storage' as const),
    when: fc.constantFrom('before' as const, 'after' as const),
    nth: fc.integer({ min: 1, max: 5 }),
    failure: fc.constantFrom('hang' as const, 'fail' as const),
  }),
);

/**
 * One device whose processes end at any moment, whose network and storage fail in every way, and a server without mercy. Nobody has logged out and
 * nobody has revoked anything, so nobody may be signed out.
 */
it('whatever fails, in whatever order, nobody is signed out, and all is well when it stops', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const server = new ModelServer();
      const disk: Disk = { record: undefined };
      const seen: Program[] = [];
      // A lock between processes: one that dies gives back what it held.
      const last = new Map<string, Promise<unknown>>();
      const deaths = new Map<Program, () => void>();
      const start = (): Program => {
        let die: () => void = () => undefined;
        const died = new Promise<void>((resolve) => (die = resolve));
        const lock: Lock = (name, task) => {
          const turn = Promise.resolve(last.get(name)).then(() => task());
          last.set(name, Promise.race([turn.catch(() => undefined), died]));
          return turn;
        };
        const program = startProgram({ server, disk, lock });
        seen.push(program);
        deaths.set(program, die);
        return program;
      };
      const kill = (program: Program): void => {
        // What is under way goes nowhere from here.
        program.storage.before = () => 'hang';
        program.storage.after = () => 'hang';
        program.auth.close();
        deaths.get(program)?.();
      };
      let program = start();
      await program.auth.login({ identifier: 'ada', password: PASSWORD });
      program.statuses.length = 0;

      for (const next of steps) {
        switch (next.kind) {
          case 'call':
            void program.auth
              .fetch(ENDPOINT, { method: 'POST', body: '{"query":"query Viewer { viewer { id } }"}' })
              .catch(() => undefined);
            break;
          case 'refresh':
            void program.auth.refresh();
            break;
          case 'restart':
            kill(program);
            program = start();
            break;
          case 'second process':
            void start()
              .auth.accessToken()
              .catch(() => undefined);
            break;
          case 'expire':
            server.expireAccessTokens();
            break;
          case 'wait':
            await seconds(next.seconds);
            break;
          case 'fate':
            server.fates(fates[next.fate]!);
            break;
          case 'storage': {
            let accesses = 0;
            program.storage[next.when] = () => ((accesses += 1) === next.nth ? (next.failure === 'hang' ? 'hang' : locked) : undefined);
          }
        }
        await seconds(0);
      }

      server.heal();
      kill(program);
      await seconds(200);
      const healed = start();
      expect(await healed.auth.accessToken()).toMatch(/^access\/session-1\//);
      await healed.auth.refresh();
      expect(healed.auth.state.status).toBe('signed-in');
      expect(server.thefts).toBe(0);
      for (const { statuses } of seen) expect(statuses).not.toContain('signed-out');
      for (const { auth } of seen) auth.close();
    }),
    { numRuns: 300 },
  );
});
