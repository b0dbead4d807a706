import type { AuthState } from '@latchkey/client';
import { useSyncExternalStore } from 'react';

import { auth } from './auth';

/** The state of the session, here and in every other tab. */
export function useAuthState(): AuthState {
  return useSyncExternalStore(auth.subscribe, () => auth.state);
}
