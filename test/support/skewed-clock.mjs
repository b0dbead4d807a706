// Preloaded by a server whose clock is to be wrong: SKEW_SECONDS is by how much. Timers and the monotonic clock run as ever.
import process from 'node:process';

const skewMs = Number(process.env.SKEW_SECONDS) * 1000;
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + skewMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + skewMs;
  }
};
