import { differencesOf, figure, median } from '../lib/figures.mjs';
import { answer } from '../lib/processes.mjs';

const MIB = 2 ** 20;

/** How a peer is started whose memory is looked at. */
export const COLLECTABLE = { nodeArgs: ['--expose-gc'] };

/** What a server holds when nothing is left to collect, in MiB. */
export async function memoryOf(peer) {
  const { residentBytes, heapUsed, arrayBuffers } = await answer(peer.child, 'memory');
  return { resident: residentBytes / MIB, heap: heapUsed / MIB, arrays: arrayBuffers / MIB };
}

/** What one side holds beyond the other, round by round; `scale`: how many times that is wanted. */
export function growthOf(ours, theirs, scale = 1) {
  const scaled = (side, what) => side.map((held) => held[what] * scale);
  const grown = (what) => differencesOf(scaled(ours, what), scaled(theirs, what));
  const shown = (side) => `${figure(median(side.map(({ resident }) => resident)))} MiB`;
  return {
    ...grown('resident'),
    unit: 'MiB',
    atMost: 64,
    detail: `${shown(ours)} : ${shown(theirs)}`,
    parts: { heap: grown('heap').value, arrays: grown('arrays').value },
  };
}
