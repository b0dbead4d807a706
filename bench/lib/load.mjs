import { answer, end, start } from './processes.mjs';

/** A process that makes load, on a core of its own. */
export async function startLoad() {
  const child = start('lib/load-worker.mjs', { role: 'load' });
  await answer(child);
  return {
    /**
     * Runs one job of `load-worker.mjs` and gives its figures.
     *
     * @throws when a single answer was not the one expected.
     */
    async run(job) {
      const patienceMs = (job.seconds + (job.warmupSeconds ?? 0)) * 1000 + 60_000;
      const result = await answer(child, job, patienceMs);
      if (result.failure !== undefined) throw new Error(`${job.kind} on ${job.origin}: ${result.failure}`);
      return result;
    },
    end: () => end(child),
  };
}
