/** How long and how often: the full run is for RESULTS.md, the quick one for a first look, and without what only docs/scaling.md reckons with (`capacity`). */
export const plans = {
  full: {
    name: 'full',
    watchdogMinutes: 45,
    throughput: { rounds: 11, callers: 32, firstWarmupSeconds: 3, warmupSeconds: 0.3, seconds: 1.5 },
    login: { rounds: 5, callers: 16, firstWarmupSeconds: 15, warmupSeconds: 1, seconds: 8 },
    flood: { rounds: 5, rate: 200, callers: 200, warmupSeconds: 1, seconds: 6 },
    enumeration: { warmup: 20, rounds: 5, samples: 60 },
    refresh: { rounds: 5, callers: 32, firstWarmupSeconds: 5, warmupSeconds: 1, seconds: 4 },
    revocations: { rounds: 5, callers: 32, firstWarmupSeconds: 15, warmupSeconds: 1, seconds: 3 },
    capacity: { warmupSeconds: 2, seconds: 5 },
    tokenCache: { rounds: 5, seconds: 3, tokens: 100_000 },
    starts: 7,
  },
  quick: {
    name: 'quick',
    watchdogMinutes: 10,
    throughput: { rounds: 1, callers: 32, firstWarmupSeconds: 0.3, warmupSeconds: 0.1, seconds: 0.5 },
    login: { rounds: 1, callers: 16, firstWarmupSeconds: 0.3, warmupSeconds: 0.3, seconds: 1.2 },
    flood: { rounds: 1, rate: 200, callers: 30, warmupSeconds: 0.2, seconds: 0.8 },
    enumeration: { warmup: 2, rounds: 1, samples: 8 },
    refresh: { rounds: 1, callers: 32, firstWarmupSeconds: 0.6, warmupSeconds: 0.3, seconds: 0.6 },
    revocations: { rounds: 1, callers: 32, firstWarmupSeconds: 0.5, warmupSeconds: 0.2, seconds: 0.5 },
    tokenCache: { rounds: 1, seconds: 1, tokens: 2500 },
    starts: 1,
  },
};
