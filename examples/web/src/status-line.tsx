import type { AuthState, OfflineReason, SignedOutReason } from '@latchkey/client';

import { auth } from './auth';

/** What the kit is doing. */
export function StatusLine({ state }: { state: AuthState }) {
  return (
    <div className="status" data-status={state.status}>
      <p role="status">{textOf(state)}</p>
      {state.status === 'offline' && (
        <button type="button" className="link" onClick={() => void auth.refresh()}>
          Try now
        </button>
      )}
    </div>
  );
}

function textOf(state: AuthState): string {
  switch (state.status) {
    case 'starting':
      return 'Looking for a session…';
    case 'signed-in':
      return 'Signed in';
    case 'refreshing':
      return 'Refreshing the session…';
    case 'signed-out':
      return SIGNED_OUT[state.reason];
    case 'offline':
      return `${OFFLINE[state.reason]} Trying again at ${new Date(state.retryAt).toLocaleTimeString()}.`;
  }
}

const SIGNED_OUT: Record<SignedOutReason, string> = {
  nobody: 'Not signed in',
  'logged-out': 'Signed out',
  'session-ended': 'Your session has ended. Sign in again.',
  'unreadable-record': 'What is stored in this browser cannot be read. Sign in again.',
};

const OFFLINE: Record<OfflineReason, string> = {
  network: 'The server cannot be reached.',
  server: 'The server cannot answer.',
  'rate-limited': 'The server asks for patience.',
  storage: 'This browser does not let the page store anything.',
};
