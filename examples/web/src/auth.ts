import { createAuth } from '@latchkey/client';
import { unencryptedWebStorage } from '@latchkey/client/web';

import { browserName } from './browser-name';

/** Another origin needs LATCHKEY_CORS_ORIGINS at the server: README.md. */
export const endpoint = import.meta.env.VITE_ENDPOINT ?? '/graphql';

/**
 * One for the whole page, which every tab of the browser shares through localStorage.
 *
 * Every script on this page can read what is there. What an app with more to lose than this one does instead, the documentation of
 * `unencryptedWebStorage` says.
 */
export const auth = createAuth({
  endpoint,
  storage: unencryptedWebStorage(),
  device: { name: browserName(navigator.userAgent), platform: 'WEB' },
});

addEventListener('online', () => void auth.refresh());
