import { createAuth } from '@latchkey/client';
import { memoryStorage } from '@latchkey/client/memory';

export const endpoint = new URL('/graphql', location.href).href;

/** One for the whole page. It keeps nothing in the browser: after a reload, the user signs in again. */
export const auth = createAuth({ endpoint, storage: memoryStorage(), device: { name: 'Codegen example', platform: 'WEB' } });
